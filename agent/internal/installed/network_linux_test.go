package installed

import (
	"net"
	"strings"
	"testing"
	"testing/fstest"

	"slipway/agent/internal/network"
)

const routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
	"eth1\t00000000\tFE01A8C0\t0003\t0\t0\t1024\t00000000\t0\t0\t0\n" +
	"eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
	"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"

type fakeInterface struct {
	name, mac string
	up        bool
	addresses []string
}

func fakeNetwork(t *testing.T, route string, list ...fakeInterface) running {
	t.Helper()
	root := fstest.MapFS{"proc/net/route": {Data: []byte(route)}}
	r := running{root: root}
	byName := map[string][]net.Addr{}
	var all []net.Interface
	for _, f := range list {
		i := net.Interface{Name: f.name}
		if f.mac != "" {
			mac, err := net.ParseMAC(f.mac)
			if err != nil {
				t.Fatal(err)
			}
			i.HardwareAddr = mac
		}
		if f.name == "lo" {
			i.Flags |= net.FlagLoopback
		}
		if f.up {
			i.Flags |= net.FlagUp | net.FlagRunning
		}
		for _, text := range f.addresses {
			ip, prefix, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			byName[f.name] = append(byName[f.name], &net.IPNet{IP: ip, Mask: prefix.Mask})
		}
		if strings.HasPrefix(f.name, "eth") {
			root["sys/class/net/"+f.name+"/device/vendor"] = &fstest.MapFile{}
		}
		all = append(all, i)
	}
	r.interfaces = func() ([]net.Interface, error) { return all, nil }
	r.addresses = func(i net.Interface) ([]net.Addr, error) { return byName[i.Name], nil }
	return r
}

func TestAdaptersOfARunningSystem(t *testing.T) {
	lo := fakeInterface{"lo", "", true, []string{"127.0.0.1/8"}}
	tests := []struct {
		name string
		list []fakeInterface
		want string // name=address of each, in order
	}{
		{"the default route's first", []fakeInterface{lo,
			{"eth1", "02:00:00:00:00:01", true, []string{"192.168.1.9/24"}},
			{"eth0", "02:00:00:00:00:02", true, []string{"fe80::1/64", "192.0.2.50/24"}}}, "eth0=192.0.2.50/24 eth1=192.168.1.9/24"},
		{"those without an address last", []fakeInterface{
			{"eth2", "02:00:00:00:00:01", false, nil},
			{"eth1", "02:00:00:00:00:03", true, []string{"192.168.1.9/24"}}}, "eth1=192.168.1.9/24 eth2=none"},
		{"no bridges beside real ones", []fakeInterface{
			{"docker0", "02:42:00:00:00:01", true, []string{"172.17.0.1/16"}},
			{"eth0", "02:00:00:00:00:02", true, []string{"192.0.2.50/24"}}}, "eth0=192.0.2.50/24"},
		{"the address sits on a bond", []fakeInterface{
			{"bond0", "02:00:00:00:00:02", true, []string{"192.0.2.50/24"}},
			{"eth0", "02:00:00:00:00:02", true, nil}, {"eth1", "02:00:00:00:00:03", true, nil}}, "eth0=192.0.2.50/24 eth1=none"},
		{"a container", []fakeInterface{lo, {"veth0", "02:00:00:00:00:02", true, []string{"10.0.0.2/24"}}}, "veth0=10.0.0.2/24"},
		{"IPv6 only", []fakeInterface{{"eth0", "02:00:00:00:00:02", true, []string{"fe80::1/64", "2001:db8::5/64"}}}, "eth0=2001:db8::5/64"},
		{"nothing but the loopback", []fakeInterface{lo}, ""},
	}
	for _, tt := range tests {
		var got []string
		for _, a := range fakeNetwork(t, routes, tt.list...).Adapters() {
			text := "none"
			if a.State == network.Leased {
				text = a.Lease.Address.String()
			}
			got = append(got, a.Name+"="+text)
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.want)
		}
	}
}

func TestDefaultRoute(t *testing.T) {
	gateway, via := fakeNetwork(t, routes).defaultRoute()
	if gateway.String() != "192.0.2.1" || via != "eth0" {
		t.Errorf("%v via %s", gateway, via)
	}
	for _, text := range []string{"", "Iface\n", "eth0\t00000000\tzz\t0003\t0\t0\t0\t00000000\n"} {
		if gateway, via := fakeNetwork(t, text).defaultRoute(); gateway.IsValid() || via != "" {
			t.Errorf("%q: %v via %q", text, gateway, via)
		}
	}
}

func TestFactsNameTheSystem(t *testing.T) {
	f := gather(fstest.MapFS{"etc/os-release": {Data: []byte("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")}}, "amd64")
	if f["OSVersion"] != "FullOS" || f["OSName"] != "Debian GNU/Linux 12 (bookworm)" {
		t.Errorf("%q, %q", f["OSVersion"], f["OSName"])
	}
}
