package boot

import (
	"net"
	"net/netip"
	"reflect"
	"testing"
)

func TestParseCmdline(t *testing.T) {
	tests := []struct {
		name, text string
		want       Args
	}{
		{"empty", "", Args{}},
		{"all", "vmlinuz quiet slipway.server=192.0.2.1:8443 slipway.installation=abc slipway.image=0123 slipway.medium=4567 slipway.resume=disk " +
			"slipway.lease=192.0.2.50 BOOTIF=01-52-54-00-12-34-56 slipway.passcode=slipway-lab console=tty0\n",
			Args{Server: "192.0.2.1:8443", Installation: "abc", Image: "0123", Medium: "4567", Resume: true, Lease: netip.MustParseAddr("192.0.2.50"),
				BootIF: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}, Passcode: "slipway-lab"}},
		{"quoted", `a slipway.passcode="two words" b`, Args{Passcode: "two words"}},
		{"quoted whole", `"slipway.passcode=two words"`, Args{Passcode: "two words"}},
		{"nonsense is left out", "slipway.lease=${ip} BOOTIF=01-zz slipway.server slipway.resume=yes", Args{}},
		{"unspecified lease", "slipway.lease=0.0.0.0", Args{}},
		{"plain BOOTIF", "BOOTIF=52:54:00:12:34:56", Args{BootIF: net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseCmdline(tt.text); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func FuzzParseCmdline(f *testing.F) {
	f.Add(`a="b c" slipway.lease=192.0.2.1 BOOTIF=01-52-54-00-12-34-56`)
	f.Add("slipway.server=\x00\"")
	f.Fuzz(func(t *testing.T, text string) {
		a := ParseCmdline(text)
		if a.BootIF != nil && len(a.BootIF) != 6 {
			t.Errorf("BOOTIF of %d bytes", len(a.BootIF))
		}
	})
}
