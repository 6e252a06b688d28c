package network

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func vendorOffer(class string, option43 []byte) *dhcpv4.DHCPv4 {
	p, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithOption(dhcpv4.OptClassIdentifier(class)),
		dhcpv4.WithGeneric(dhcpv4.OptionVendorSpecificInformation, option43))
	if err != nil {
		panic(err)
	}
	return p
}

func TestApplianceAddress(t *testing.T) {
	tlv := func(tag byte, v string) []byte { return append([]byte{tag, byte(len(v))}, v...) }
	tests := []struct {
		name  string
		class string
		raw   []byte
		want  string
	}{
		{"plain", VendorClass, tlv(1, "192.0.2.1:8443"), "192.0.2.1:8443"},
		{"after padding and another tag", VendorClass, append([]byte{0, 9, 1, 'x'}, tlv(1, "192.0.2.1:8443")...), "192.0.2.1:8443"},
		{"another class", "PXEClient", tlv(1, "192.0.2.1:8443"), ""},
		{"no address", VendorClass, tlv(1, "appliance"), ""},
		{"ends early", VendorClass, []byte{1, 200, '1'}, ""},
		{"behind the end", VendorClass, append([]byte{0xff}, tlv(1, "192.0.2.1:8443")...), ""},
		{"empty", VendorClass, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ApplianceAddress(vendorOffer(tt.class, tt.raw))
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func FuzzApplianceAddress(f *testing.F) {
	f.Add(append([]byte{1, 14}, "192.0.2.1:8443"...))
	f.Add([]byte{0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 255 {
			return
		}
		if address, ok := ApplianceAddress(vendorOffer(VendorClass, raw)); ok {
			if _, err := netip.ParseAddrPort(address); err != nil {
				t.Errorf("%q is no address", address)
			}
		}
	})
}

func TestLeaseTimes(t *testing.T) {
	tests := []struct {
		name                  string
		options               []dhcpv4.Modifier
		renew, rebind, expiry time.Duration
	}{
		{"given", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 100), seconds(dhcpv4.OptionRenewTimeValue, 30), seconds(dhcpv4.OptionRebindingTimeValue, 60)}, 30 * time.Second, 60 * time.Second, 100 * time.Second},
		{"defaults", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 800)}, 400 * time.Second, 700 * time.Second, 800 * time.Second},
		{"nonsense order", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 80), seconds(dhcpv4.OptionRenewTimeValue, 90)}, 40 * time.Second, 70 * time.Second, 80 * time.Second},
		{"forever", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 0xffffffff)}, forever, forever, forever},
		{"none named", nil, defaultLease / 2, defaultLease * 7 / 8, defaultLease},
		{"zero", []dhcpv4.Modifier{seconds(dhcpv4.OptionIPAddressLeaseTime, 0)}, minLease / 2, minLease * 7 / 8, minLease},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ack, _ := dhcpv4.New(append(tt.options, dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 50)))...)
			l, err := leaseFrom(ack, time.Time{})
			if err != nil || l.Renew != tt.renew || l.Rebind != tt.rebind || l.Expiry != tt.expiry {
				t.Errorf("got %v %v %v, %v", l.Renew, l.Rebind, l.Expiry, err)
			}
		})
	}
}

func seconds(code dhcpv4.OptionCode, n uint32) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(code, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestUnusableAddresses(t *testing.T) {
	for _, ip := range []net.IP{nil, net.IPv4zero, net.IPv4(127, 0, 0, 1), net.IPv4(224, 0, 0, 1)} {
		ack, _ := dhcpv4.New(dhcpv4.WithYourIP(ip))
		if l, err := leaseFrom(ack, time.Time{}); err == nil {
			t.Errorf("%v became %v", ip, l)
		}
	}
}
