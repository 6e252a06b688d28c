//go:build lab

package boottest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
)

// scene is a segment with an ordinary DHCP server, an appliance and a recorder.
type scene struct {
	run       *lab.Run
	net       *lab.Network
	dhcp      *lab.DHCP
	appliance *lab.Appliance
	capture   *lab.Capture
}

// newScene starts an appliance from the prepared data folder. before may change
// the folder; config is added to the configuration.
func newScene(t *testing.T, config string, before func(data string)) *scene {
	t.Helper()
	return newSceneBeside(t, lab.DHCPOptions{}, config, before)
}

// newSceneBeside is newScene with an ordinary DHCP server that is like this.
func newSceneBeside(t *testing.T, dhcp lab.DHCPOptions, config string, before func(data string)) *scene {
	t.Helper()
	cache := filepath.Join(lab.Root(), ".cache", "lab")
	prepared, err := lab.Prepare(t.Context(), cache, packages(t), lab.Options{Label: t.Name() + "-prepare"}, os.Stderr)
	must(t, err)
	s := &scene{}
	s.run, s.net = newRun(t)
	data, err := prepared.Copy(s.run, "data")
	must(t, err)
	if before != nil {
		before(data)
	}
	s.dhcp, err = s.net.StartDHCP(dhcp)
	must(t, err)
	s.capture, err = s.net.StartCapture("segment")
	must(t, err)
	s.appliance, err = s.net.StartAppliance(t.Context(), lab.ApplianceOptions{Data: data, Config: config})
	must(t, err)
	return s
}

// powerOn starts a machine with its network card first in the boot order.
func (s *scene) powerOn(t *testing.T, firmware lab.Firmware, disks ...lab.Disk) *lab.Machine {
	t.Helper()
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: string(firmware), Firmware: firmware, Disks: disks})
	must(t, err)
	return m
}

// milestones reads a machine's boot out of the capture.
func (s *scene) milestones(t *testing.T, m *lab.Machine) lab.Milestones {
	t.Helper()
	found, err := s.capture.Milestones(m)
	must(t, err)
	return found
}

// until polls a condition on the boot's milestones.
func (s *scene) until(t *testing.T, m *lab.Machine, limit time.Duration, what string, ok func(lab.Milestones) bool) {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(limit))
	for !ok(s.milestones(t, m)) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v; %v; the screen:\n%s", what, lab.Timeout(limit), s.milestones(t, m), m.Console.Screen())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// slipway runs a command against the appliance.
func (s *scene) slipway(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.appliance.Command(t.Context(), stdin, args...)
	must(t, err)
	return out
}

func (s *scene) deployments(t *testing.T) []fleet.Deployment {
	t.Helper()
	return decode[struct{ Deployments []fleet.Deployment }](t, s.slipway(t, "", "deployment", "list", "--json")).Deployments
}

// device returns the one device that the appliance knows.
func (s *scene) device(t *testing.T) fleet.Device {
	t.Helper()
	all := decode[struct{ Devices []fleet.Device }](t, s.slipway(t, "", "device", "list", "--json")).Devices
	if len(all) != 1 {
		t.Fatalf("%d devices known, want 1: %+v", len(all), all)
	}
	return all[0]
}

// keepScreen keeps a picture of the machine's screen in .lab/screens.
func keepScreen(t *testing.T, m *lab.Machine, name string) {
	t.Helper()
	time.Sleep(lab.Timeout(time.Second)) // the video console draws after the serial one
	png, err := m.Screenshot(t.Context(), name)
	must(t, err)
	b, err := os.ReadFile(png)
	must(t, err)
	dir := filepath.Join(lab.Root(), ".lab", "screens")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644))
}

// enter types a passcode on the serial line and presses Enter.
func enter(t *testing.T, m *lab.Machine, passcode string) {
	t.Helper()
	must(t, m.Console.Type(passcode+"\r"))
}

// press presses keys at the machine's own keyboard and waits for what the screen shows then.
func press(t *testing.T, m *lab.Machine, pattern string, keys ...string) {
	t.Helper()
	must(t, m.QMP.PressKeys(t.Context(), keys...))
	shown(t, m, pattern)
}

// pressPasscode gives a passcode at the machine's own keyboard. Each key is seen before
// the next is pressed: a busy guest loses none.
func pressPasscode(t *testing.T, m *lab.Machine, passcode string) {
	t.Helper()
	for i, c := range passcode {
		must(t, m.QMP.Type(t.Context(), string(c)))
		shown(t, m, fmt.Sprintf(`[^*]\*{%d}[^*]`, i+1))
	}
	must(t, m.QMP.PressKeys(t.Context(), "ret"))
}

// shown waits until the screen, which is the same on both consoles, matches the pattern.
func shown(t *testing.T, m *lab.Machine, pattern string) {
	t.Helper()
	shows := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(lab.Timeout(30 * time.Second)); !shows.MatchString(m.Console.Screen()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q on the screen:\n%s", pattern, m.Console.Screen())
		}
	}
}

// noSecret fails when a text that must not be anywhere is in a file.
func noSecret(t *testing.T, path string, secrets ...string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	for _, s := range secrets {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("%s holds the passcode %q that was typed", filepath.Base(path), s)
		}
	}
}
