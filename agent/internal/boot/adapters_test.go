package boot

import (
	"strings"
	"testing"
	"testing/fstest"
)

func pci(slot, class, vendor, device, driver string, more ...string) fstest.MapFS {
	dir := "bus/pci/devices/" + slot + "/"
	uevent := "PCI_CLASS=20000\n"
	if driver != "" {
		uevent = "DRIVER=" + driver + "\n" + uevent
	}
	m := fstest.MapFS{
		dir + "class": {Data: []byte(class + "\n")}, dir + "vendor": {Data: []byte(vendor + "\n")},
		dir + "device": {Data: []byte(device + "\n")}, dir + "uevent": {Data: []byte(uevent)},
	}
	for _, f := range more {
		m[dir+f] = &fstest.MapFile{Data: []byte("x")}
	}
	return m
}

func TestAdapterTroubles(t *testing.T) {
	tests := []struct {
		name string
		sys  fstest.MapFS
		log  []string
		want string // "" no trouble, "-" not a network adapter
	}{
		{"works", pci("0000:00:03.0", "0x020000", "0x8086", "0x100e", "e1000", "net/eth0/address"), nil, ""},
		{"works behind virtio", pci("0000:00:03.0", "0x020000", "0x1af4", "0x1000", "virtio-pci", "virtio0/net/eth0/address"), nil, ""},
		{"no driver", pci("0000:00:1f.6", "0x020000", "0x8086", "0x15bc", ""), nil, "8086:15bc: this boot image has no driver for it"},
		{"driver without interface", pci("0000:00:1f.6", "0x020000", "0x8086", "0x15bc", "e1000e"), nil, "8086:15bc: driver e1000e gave no network interface"},
		{"firmware missing, probe failed", pci("0000:04:00.0", "0x020000", "0x14e4", "0x1639", ""),
			[]string{"bnx2 0000:04:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with error -2"},
			"14e4:1639: driver bnx2 present, firmware missing: bnx2/bnx2-mips-09-6.2.1b.fw"},
		{"firmware missing, Debian's words", pci("0000:02:00.0", "0x020000", "0x10ec", "0x8168", "r8169", "net/eth0/address"),
			[]string{"r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)", "r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)"},
			"10ec:8168: driver r8169 present, firmware missing: rtl_nic/rtl8168h-2.fw"},
		{"a graphics card", pci("0000:00:02.0", "0x030000", "0x1234", "0x1111", ""), nil, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := PCIAdapters(tt.sys, tt.log)
			if tt.want == "-" {
				if len(found) != 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Trouble() != tt.want {
				t.Errorf("got %+v", found)
			}
		})
	}
}

func TestParseUevent(t *testing.T) {
	msg := strings.ReplaceAll("add@/devices/pci0/usb1/1-1/1-1:1.0|ACTION=add|DEVPATH=/x|SUBSYSTEM=usb|MODALIAS=usb:v0BDAp8153|SEQNUM=7|", "|", "\x00")
	e, ok := ParseUevent([]byte(msg))
	if !ok || e != (Uevent{Action: "add", Path: "/devices/pci0/usb1/1-1/1-1:1.0", Subsystem: "usb", Modalias: "usb:v0BDAp8153"}) {
		t.Errorf("got %+v, %v", e, ok)
	}
	for _, bad := range []string{"", "libudev\x00\xfe\xed", "@/x\x00", "add@/x"} {
		if e, ok := ParseUevent([]byte(bad)); ok {
			t.Errorf("%q was taken for %+v", bad, e)
		}
	}
}

func FuzzParseUevent(f *testing.F) {
	f.Add([]byte("add@/d\x00MODALIAS=a\x00"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if e, ok := ParseUevent(msg); ok && e.Action == "" {
			t.Error("an event without an action")
		}
	})
}
