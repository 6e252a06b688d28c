//go:build lab

package boottest

import (
	"testing"
	"time"

	"slipway/lab"
)

// The disk that stands for an installed system does boot, on each firmware:
// otherwise the tests that look for its marker would prove nothing.
func TestBootDiskAlone(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			run, net := newRun(t)
			disk := run.Path("disk.img")
			must(t, lab.BootDisk(disk, firmware))
			m, err := net.PowerOn(t.Context(), lab.MachineConfig{Name: string(firmware), Firmware: firmware, DiskFirst: true, Disks: []lab.Disk{{Path: disk}}})
			must(t, err)
			expect(t, m, 3*time.Minute, lab.DiskMarker)
			t.Logf("disk after %.1f s", time.Since(m.Started).Seconds())
		})
	}
}
