//go:build lab

package boottest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"slipway/lab"
)

// The cable of the card that a machine boots by is pulled while the image is loaded:
// the script goes on to the other card, and so does the agent.
func TestSecondAdapter(t *testing.T) {
	t.Parallel()
	const second = "52:54:00:77:00:02"
	s := newScene(t, "", nil)
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "two-cards", Firmware: lab.BIOS, MAC2: second})
	must(t, err)
	s.until(t, m, time.Minute, "the kernel is asked for", func(b lab.Milestones) bool { return b.Kernel > 0 })
	must(t, m.QMP.Run(t.Context(), "set_link", map[string]any{"name": "net0", "up": false}, nil))
	pulled := time.Now()
	for _, adapter := range []string{"net0", "net1"} {
		showsText(t, m, 90*time.Second, `Slipway: loading failed\. Trying again on adapter `+adapter+`\.`)
		t.Logf("on to %s %.1f s after the cable was pulled", adapter, time.Since(pulled).Seconds())
	}
	expect(t, m, 2*time.Minute, "Passcode")
	t.Logf("prompt %.1f s after the cable was pulled", time.Since(pulled).Seconds())
	m.MAC = second
	if b := s.milestones(t, m); b.Kernel == 0 || b.Initrd == 0 || b.Agent == 0 {
		t.Errorf("the image did not come by the second card: %v", b)
	}
	enter(t, m, lab.Passcode)
	expect(t, m, 30*time.Second, "Choose a task sequence")
}

// showsText waits for a text on a BIOS machine's screen.
func showsText(t *testing.T, m *lab.Machine, limit time.Duration, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(lab.Timeout(limit)); ; time.Sleep(200 * time.Millisecond) {
		screen, err := m.TextScreen(t.Context())
		must(t, err)
		if want.MatchString(screen) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q within %v; the screen:\n%s", pattern, lab.Timeout(limit), screen)
		}
	}
}

// A machine without a network card, and one whose card's driver does not find its
// firmware in the image, say so.
func TestUnusableAdapters(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	none := s.direct(t, lab.MachineConfig{Name: "no-card", NIC: lab.NoNIC})
	// e100 needs the microcode for the 82551's revision 15, which is what QEMU shows.
	lacking := s.direct(t, lab.MachineConfig{Name: "no-firmware", NIC: "i82551"})
	expect(t, none, time.Minute, "No network adapter found")
	keepScreen(t, none, "no-card")
	expect(t, lacking, time.Minute, "8086:1209: driver e100 present, firmware missing:")
	expect(t, lacking, 10*time.Second, `e100/d102e_ucode\.bin`) // in the next line of its box
	keepScreen(t, lacking, "no-firmware")
}

// direct starts the newest boot image with no firmware of the network and no loader
// before it. Arguments in c are added to its command line.
func (s *scene) direct(t *testing.T, c lab.MachineConfig) *lab.Machine {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(s.appliance.Data, "boot", "*", "image.json"))
	must(t, err)
	newest, dir := time.Time{}, ""
	for _, f := range manifests {
		info, err := os.Stat(f)
		must(t, err)
		if info.ModTime().After(newest) {
			newest, dir = info.ModTime(), filepath.Dir(f)
		}
	}
	c.Firmware, c.Kernel, c.Initrd = lab.Direct, filepath.Join(dir, "vmlinuz.fast"), filepath.Join(dir, "initrd.zst")
	c.Cmdline = "slipway.server=" + lab.ApplianceAddress + ":8443 console=tty0 console=ttyS0,115200n8 panic=30 quiet loglevel=3 cryptomgr.notests " + c.Cmdline
	m, err := s.net.PowerOn(t.Context(), c)
	must(t, err)
	return m
}
