//go:build lab

package boottest

import (
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// Pulling the plug really loses what was not synced, and nothing else: without
// that TestPowerCut would prove nothing.
func TestLabPowerCutLosesTheUnsynced(t *testing.T) {
	t.Parallel()
	run, net := newRun(t)
	disk := run.Path("disk.ext4")
	must(t, lab.MakeExt4(disk, 64, ""))
	guest, err := run.BuildGuest("writer", packages(t), `
mount -t ext4 /dev/vda /mnt
for f in dirty_writeback_centisecs dirty_expire_centisecs; do echo 600000 > /proc/sys/vm/$f; done
echo "found: $(ls /mnt | tr '\n' ' ')"
echo kept > /mnt/synced; sync; echo lost > /mnt/unsynced
echo "now there: $(ls /mnt | tr '\n' ' ')"
read x
`, nil)
	must(t, err)
	boot := func(name string) *lab.Machine {
		m, err := net.PowerOn(t.Context(), lab.MachineConfig{
			Name: name, Firmware: lab.Direct, Kernel: guest.Kernel, Initrd: guest.Initrd,
			Cmdline: "console=ttyS0 panic=5 quiet", Disks: []lab.Disk{{Path: disk}},
		})
		must(t, err)
		return m
	}
	m := boot("before")
	if got := expect(t, m, time.Minute, `now there: .*\n`); !strings.Contains(got, "unsynced") {
		t.Fatalf("the guest could not write: %s", got)
	}
	m.PowerOff()
	found := expect(t, boot("after"), time.Minute, `found: .*\n`)
	if !strings.Contains(found, " synced") || strings.Contains(found, "unsynced") {
		t.Errorf("after the cut: %q", found)
	}
}
