//go:build lab

package boottest

import (
	"os"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
)

const rebootSequence = `{
  "format": 1, "id": "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00d1", "version": 1, "status": "active",
  "name": "Reboot to disk",
  "steps": [
    {"id": "before", "name": "Before", "definition": "set-variable", "settings": {"VariableName": "Before", "VariableValue": "yes"}},
    {"id": "reboot", "name": "To the disk", "definition": "reboot", "settings": {"RebootRequested": "disk"}},
    {"id": "after", "name": "After", "definition": "set-variable", "settings": {"VariableName": "After", "VariableValue": "yes"}}
  ]
}`

// A machine whose network card is first in its boot order asks the network at
// each start. While its deployment waits for the disk it is sent there: no loop,
// no second installation.
func TestRebootToDisk(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "", nil)
			file := s.run.Path("reboot.json")
			must(t, os.WriteFile(file, []byte(rebootSequence), 0o644))
			s.slipway(t, "", "sequence", "import", file)
			disk := s.run.Path("disk.img")
			must(t, lab.BootDisk(disk, firmware))
			m := s.powerOn(t, firmware, lab.Disk{Path: disk})
			expect(t, m, 3*time.Minute, "Passcode")
			s.slipway(t, "", "device", "assign", s.device(t).ID, "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00d1")
			enter(t, m, lab.Passcode)
			expect(t, m, 30*time.Second, `Step \d+ of \d+`)

			restarted := time.Now()
			expect(t, m, 5*time.Minute, lab.DiskMarker)
			t.Logf("from sign-in to the disk: %.0f s", time.Since(restarted).Seconds())
			must(t, m.Reset(t.Context())) // a power failure while the deployment still waits
			expect(t, m, 5*time.Minute, lab.DiskMarker)
			t.Logf("from reset to the disk: %.0f s", time.Since(m.Started).Seconds())

			if b := s.milestones(t, m); b.Kernel > 0 || b.Discover == 0 {
				t.Errorf("after the reset the machine was to ask the network and boot no kernel: %v", b)
			}
			all := s.deployments(t)
			if len(all) != 1 || all[0].Status != fleet.DeploymentRunning || all[0].WaitsFor != fleet.BootDisk {
				t.Errorf("one deployment that waits for the disk was to be there: %+v", all)
			}
		})
	}
}
