//go:build lab

package boottest

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/fleet"
	"slipway/lab"
)

// userCode is a code as the provider gives them out.
const userCode = `\b[A-Z]{4}-[A-Z]{4}\b`

// A device that was booted shows a code, the address and a QR code of it, and goes
// on by itself when a person has signed in elsewhere. The provider can be reached
// by the appliance only. What goes wrong meanwhile leads to a message, and to a
// new code by itself.
func TestEntraOnADevice(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	p := startProvider(t, s)
	s.auth(t, p.settings(t, s)...)
	stranger := &device{http: insecure(s.net), base: s.appliance.URL(""), claim: wire.Device{UUID: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}}
	if err := stranger.signIn(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("the passcode of a booted device: %v, want 403", err)
	}
	if _, err := s.net.Bridge.Dial(t.Context(), "tcp", strings.TrimPrefix(p.Issuer, "https://")); err == nil {
		t.Error("the segment reaches the provider")
	}

	m := s.powerOn(t, lab.UEFI)
	code := newCode(t, m, 3*time.Minute, "")
	t.Logf("from power-on to the code: %.0f s", time.Since(m.Started).Seconds())
	if screen := m.Console.Screen(); strings.Contains(screen, "Passcode") || !strings.Contains(screen, p.Issuer) {
		t.Errorf("the page, without the passcode, was to name the address %s:\n%s", p.Issuer, screen)
	}
	readsCode(t, m, "uefi-entra", p.Issuer+"/device", code)

	p.do(t, "down")
	expect(t, m, 30*time.Second, "The sign-in provider does not")
	p.do(t, "up")
	expect(t, m, 30*time.Second, "Waiting for the sign-in")

	must(t, s.appliance.Restart(t.Context()))
	second := newCode(t, m, time.Minute, code)
	p.do(t, "deny", "user_code", second)
	expect(t, m, 30*time.Second, "The sign-in was denied")
	must(t, m.Console.Type("\x14")) // Ctrl-T: a new code
	third := newCode(t, m, time.Minute, second)
	p.do(t, "approve", "user_code", third, "user", "id2") // who has no role
	expect(t, m, 30*time.Second, "This person may not set up computers")
	must(t, m.Console.Type("\x14"))
	fourth := newCode(t, m, time.Minute, third)
	p.do(t, "approve", "user_code", fourth, "user", "id1")
	expect(t, m, 30*time.Second, "Choose a task sequence")
	must(t, m.Console.Type("1"))
	expect(t, m, time.Minute, "Succeeded")

	const anna = "anna@example.test"
	if all := s.deployments(t); len(all) != 1 || all[0].Actor != anna || all[0].Status != fleet.DeploymentSucceeded {
		t.Errorf("one deployment of %s was to be there: %+v", anna, all)
	}
	audit := s.slipway(t, "", "audit", "list", "--json")
	for _, want := range []string{`"actor":"` + anna + `"`, "entra.accepted", "entra.refused"} {
		if !strings.Contains(strings.ReplaceAll(audit, `": `, `":`), want) {
			t.Errorf("%s is not in the audit log:\n%s", want, audit)
		}
	}
	noSecret(t, s.appliance.Log, code, fourth)
}

// On a text screen of 80 by 25, as BIOS machines have: the QR code is read there
// too. Then the settings change while the page stands: anyone may deploy, and every
// page says so.
func TestEntraThenAnonymous(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	p := startProvider(t, s)
	s.auth(t, p.settings(t, s)...)
	m := s.powerOn(t, lab.BIOS)
	code := newCode(t, m, 3*time.Minute, "")
	readsCode(t, m, "bios-entra", p.Issuer+"/device", code)

	s.auth(t, "entra=off", "anonymous=on")
	expect(t, m, time.Minute, "Anyone may deploy here")
	expect(t, m, 30*time.Second, "Choose a task sequence")
	keepScreen(t, m, "bios-anonymous")
	must(t, m.Console.Type("1"))
	expect(t, m, time.Minute, "Succeeded")
	if !strings.Contains(m.Console.Screen(), "Anyone may deploy here") {
		t.Errorf("the warning is gone:\n%s", m.Console.Screen())
	}
	if all := s.deployments(t); len(all) != 1 || all[0].Actor != "anonymous" {
		t.Errorf("one anonymous deployment was to be there: %+v", all)
	}
}

// newCode waits for a code other than the one before.
func newCode(t *testing.T, m *lab.Machine, limit time.Duration, before string) string {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(limit))
	for time.Now().Before(deadline) {
		if code := expect(t, m, limit, userCode); code != before {
			return code
		}
	}
	t.Fatalf("no other code than %s; the screen:\n%s", before, m.Console.Screen())
	return ""
}

// readsCode reads the QR code off the machine's screen, and off the serial line as
// a terminal shows it.
func readsCode(t *testing.T, m *lab.Machine, name, address, code string) {
	t.Helper()
	keepScreen(t, m, name)
	serial := filepath.Join(t.TempDir(), "serial.png")
	must(t, drawTerminal(m.Console.Screen(), serial))
	for what, path := range map[string]string{"screen": filepath.Join(lab.Root(), ".lab", "screens", name+".png"), "serial line": serial} {
		text, err := scanQR(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, m.Console.Screen())
			continue
		}
		if !strings.HasPrefix(text, address) || strings.Contains(text, "user_code") && !strings.Contains(text, code) {
			t.Errorf("the %s's QR code is %q, want %s for %s", what, text, address, code)
		}
		t.Logf("the %s's QR code: %s", what, text)
	}
}

// drawTerminal draws what a terminal of 80 by 24 shows: its block characters, in
// cells of 8 by 16 dots.
func drawTerminal(text, path string) error {
	img := image.NewGray(image.Rect(0, 0, 80*8, 24*16))
	for y, line := range strings.Split(text, "\n") {
		x := 0
		for _, r := range line {
			for j := range 16 {
				if r == '█' || r == '▀' && j < 8 || r == '▄' && j >= 8 {
					for i := range 8 {
						img.SetGray(x*8+i, y*16+j, color.Gray{255})
					}
				}
			}
			x++
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, img)
}
