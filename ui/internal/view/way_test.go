package view

import (
	"strings"
	"testing"

	"slipway/fleet"
)

func TestWayAdvice(t *testing.T) {
	for _, c := range []struct{ firmware, on, db, want string }{
		{"bios", "", "", "always gets iPXE"},
		{"uefi", "", "", "once its agent has reported"},
		{"uefi", "False", "2011", "is off here"},
		{"uefi", "True", "Windows 2011, 2011", "certificate of 2011. Debian's shim works where"},
		{"uefi", "True", "Windows 2011,2023", "only Microsoft's certificate of 2023"},
		{"uefi", "True", "Windows 2011", "none of Microsoft's"},
	} {
		d := fleet.Device{Firmware: c.firmware, Facts: map[string]string{"SecureBoot": c.on, "SecureBootDB": c.db}}
		if got := WayAdvice(d); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, w := range fleet.BootWays() {
		if WayText(w) == string(w) {
			t.Errorf("%s has no name", w)
		}
	}
}
