package netboot

import (
	"net/netip"
	"testing"
)

// What each kind of machine is given first by a DHCP server of others, in each way.
func TestForeignChoices(t *testing.T) {
	const (
		http = "http://192.0.2.10:8080/boot/"
		x64  = "ipxeboot/x86_64-sb/snponly-shim.efi"
		arm  = "ipxeboot/arm64-sb/snponly-shim.efi"
	)
	ipxe := map[string]string{"bios": "undionly.kpxe", "uefi-x64": "snponly.efi", "uefi-x86": "snponly-i386.efi", "uefi-arm64": "snponly-arm64.efi",
		"http-x64": http + "loaders/snponly.efi", "http-x86": http + "loaders/snponly-i386.efi", "http-arm64": http + "loaders/snponly-arm64.efi"}
	for name, tt := range map[string]struct {
		first  ForeignFirst
		differ map[string]string // from iPXE; empty: there is no such choice
	}{
		"iPXE":        {},
		"shim":        {ForeignFirst{Shim: true}, map[string]string{"uefi-x64": "shimx64.efi", "http-x64": ""}},
		"signed iPXE": {ForeignFirst{Signed: map[string]string{ArchX64: x64, ArchARM64: arm}}, map[string]string{"uefi-x64": x64, "uefi-arm64": arm, "http-x64": http + x64, "http-arm64": http + arm}},
	} {
		got := map[string]string{}
		for _, c := range ForeignChoices(netip.MustParseAddr("192.0.2.10"), 8080, tt.first) {
			got[c.Name] = c.Loader
		}
		for choice, want := range ipxe {
			if differs, ok := tt.differ[choice]; ok {
				want = differs
			}
			if got[choice] != want {
				t.Errorf("%s: %s gets %q, want %q", name, choice, got[choice], want)
			}
		}
	}
}
