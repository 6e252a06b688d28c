//go:build lab

package boottest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/lab"
)

// Media that were made before a backup boot and sign in at the appliance that was
// restored from it, on a machine that had nothing else: no boot image is built anew.
func TestMediaOfBeforeBootAtARestoredAppliance(t *testing.T) {
	t.Parallel()
	const recovery = "sextant plywood oregano umbrella quartz"
	s := newScene(t, "", nil)
	media := lab.MachineConfig{Name: "media", Firmware: lab.Direct, Memory: 1024,
		Kernel: s.keep(t, "vmlinuz"), Initrd: s.keep(t, "initrd.zst"), Cmdline: "console=tty0 console=ttyS0 quiet"}
	file := s.run.Path("slipway.backup")
	s.slipway(t, recovery+"\n", "backup", file)
	s.appliance.Stop()
	must(t, os.RemoveAll(s.appliance.Data))
	s.slipway(t, recovery+"\n", "restore", file)
	must(t, s.appliance.Restart(t.Context()))

	m, err := s.net.PowerOn(t.Context(), media)
	must(t, err)
	expect(t, m, 3*time.Minute, "Passcode")
	succeed(t, s, m)
	noSecret(t, s.run.Path("appliance.log"), lab.Passcode, recovery)
}

// keep copies a file of the one boot image away, as a person keeps a stick.
func (s *scene) keep(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.appliance.Data, "boot", "*", name))
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d files %s in the data folder, want 1: %v", len(found), name, found)
	}
	b, err := os.ReadFile(found[0])
	must(t, err)
	to := s.run.Path("kept-" + name)
	must(t, os.WriteFile(to, b, 0o644))
	return to
}
