//go:build lab

package boottest

import (
	"testing"
	"time"

	"slipway/lab"
)

// Silent for once: at its next boot the machine hears nothing of the appliance and
// its firmware goes on to the disk; at the one after it boots the image again.
func TestSilentOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	disk := s.run.Path("disk.img")
	must(t, lab.BootDisk(disk, lab.BIOS))
	m := s.powerOn(t, lab.BIOS, lab.Disk{Path: disk})
	script := func(b lab.Milestones) bool { return b.Script > 0 }
	s.until(t, m, time.Minute, "the script is fetched, which makes the device known", script)
	// Halted, or it would ask again, for itself or by its agent, before it is reset.
	must(t, m.QMP.Run(t.Context(), "stop", nil, nil))
	s.slipway(t, "", "device", "boot", s.device(t).ID, "silent", "--once")
	must(t, m.Reset(t.Context()))
	must(t, m.QMP.Run(t.Context(), "cont", nil, nil))
	expect(t, m, 2*time.Minute, lab.DiskMarker)
	t.Logf("from reset to the disk: %.1f s; %v", time.Since(m.Started).Seconds(), s.milestones(t, m))
	if b := s.milestones(t, m); b.Discover == 0 || b.Loader > 0 || b.Script > 0 {
		t.Errorf("the firmware was to ask the network, and to get nothing: %v", b)
	}
	packets, err := s.capture.Packets()
	must(t, err)
	for _, p := range packets {
		// TCP: what the broken connection of the first boot had still to say.
		if p.Time.After(m.Started) && !p.TCP && p.Src == lab.ApplianceAddress && (p.DstMAC == m.MAC || p.ClientMAC() == m.MAC) {
			t.Errorf("the appliance spoke to the machine: port %d to port %d, %.1f s after the reset", p.SrcPort, p.DstPort, p.Time.Sub(m.Started).Seconds())
		}
	}
	if next := s.device(t).Boot.Next; next != "" {
		t.Errorf("the one silence is still to come: %q", next)
	}

	// What repeats within 75 s is the same attempt and is met with the same silence; a
	// start of the appliance forgets attempts, and saves the wait.
	must(t, s.appliance.Restart(t.Context()))
	must(t, m.Reset(t.Context()))
	s.until(t, m, 90*time.Second, "the image is loaded", func(b lab.Milestones) bool { return b.Script > 0 && b.Initrd > 0 })
	expect(t, m, time.Minute, "Passcode")
}
