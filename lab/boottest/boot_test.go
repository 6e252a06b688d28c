//go:build lab

package boottest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
)

// From power-on to a task sequence that has succeeded, for each kind of
// firmware, on the machine's own consoles.
func TestBoot(t *testing.T) {
	t.Parallel()
	for _, firmware := range lab.NetworkFirmwares() {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			dhcp := lab.DHCPOptions{}
			if firmware == lab.BIOS {
				dhcp = shortLease()
			}
			s := newSceneBeside(t, dhcp, "", nil)
			ordinary := newOrdinary(t, s)
			m := s.powerOn(t, firmware)
			ordinary.check(t, "while a machine boots")
			expect(t, m, 3*time.Minute, "Passcode")
			times := s.milestones(t, m)
			times.Prompt = time.Since(m.Started)
			fmt.Printf("BOOT %s: %v\n", firmware, times)
			keepScreen(t, m, string(firmware)+"-passcode")

			if firmware == lab.BIOS {
				refuseByLayout(t, m)
			} else {
				refuse(t, m)
			}
			throttle(t, m)
			switch firmware {
			case lab.BIOS:
				keptLease(t, s, m)
				succeed(t, s, m)
			case lab.UEFI:
				pressPasscode(t, m, lab.Passcode)
				runSample(t, s, m)
			default:
				succeed(t, s, m)
			}
			ordinary.check(t, "afterwards")
			noSecret(t, s.appliance.Log, lab.Passcode, "not-the-passcode")
		})
	}
}

// longAgo is what the hardware clock of a machine with an empty battery says: before
// every certificate of the appliance.
const longAgo = "2001-01-01T00:00:00"

// A BIOS whose PXE code does not say that it is iPXE gets undionly first. This one's
// clock is far off, and is set by the appliance's.
func TestBootPlainBIOS(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "plain-bios", Firmware: lab.PlainBIOS, RTC: longAgo})
	must(t, err)
	expect(t, m, 3*time.Minute, "Passcode")
	clockSet(t, m)
	packets, err := s.capture.Packets()
	must(t, err)
	for _, p := range packets {
		if p.SrcMAC == m.MAC && strings.Contains(p.TFTPFile(), "undionly") {
			return
		}
	}
	t.Error("the machine got to the challenge without undionly: its ROM was not a plain one")
}

// clockSet reads in the agent's log that it found the clock wrong and set it to now.
func clockSet(t *testing.T, m *lab.Machine) {
	t.Helper()
	must(t, m.Console.Type("\x0c")) // ^L: the log
	text := expect(t, m, 30*time.Second, `was=2001-01-01T\S+\s+is=\S+Z`)
	_, is, _ := strings.Cut(text, "is=")
	now, err := time.Parse(time.RFC3339Nano, is)
	must(t, err)
	if d := time.Since(now); d < -time.Minute || d > time.Since(m.Started)+time.Minute {
		t.Errorf("the clock was set to %v", now)
	}
}

func refuse(t *testing.T, m *lab.Machine) {
	t.Helper()
	enter(t, m, "not-the-passcode")
	expect(t, m, 30*time.Second, "Passcode not accepted")
}

// refuseByLayout guesses at the machine's own keyboard after the choice of another
// layout, with keys on which layouts differ: letters, Latin-1 and the rest of Unicode.
func refuseByLayout(t *testing.T, m *lab.Machine) {
	t.Helper()
	press(t, m, "Choose the keyboard layout", "f3")
	press(t, m, `Keyboard +German`, "3")
	press(t, m, "Hide typed text", "f2")
	press(t, m, "zyß€ ", "y", "z", "minus", "alt_r-e")
	keepScreen(t, m, m.MachineConfig.Name+"-layout")
	press(t, m, "Passcode not accepted", "ret")
}

// throttle guesses until the appliance makes the machine wait; the first five
// guesses are free.
func throttle(t *testing.T, m *lab.Machine) {
	t.Helper()
	for guess := 2; guess <= 10; guess++ {
		m.Console.Skip()
		enter(t, m, fmt.Sprintf("not-the-passcode-%d", guess))
		if strings.Contains(expect(t, m, 30*time.Second, "Passcode not accepted|Too many attempts"), "Too many") {
			if guess <= 5 {
				t.Errorf("guess %d of five free ones was held back", guess)
			}
			keepScreen(t, m, m.MachineConfig.Name+"-throttled")
			waitOver(t, m)
			return
		}
	}
	t.Fatal("ten wrong passcodes in a row and never a wait")
}

// waitOver waits until the prompt may be used again.
func waitOver(t *testing.T, m *lab.Machine) {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(90 * time.Second))
	for strings.Contains(m.Console.Screen(), "Too many attempts") {
		if time.Now().After(deadline) {
			t.Fatalf("the wait does not end:\n%s", m.Console.Screen())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// succeed signs in, chooses the sample and sees it through, on the machine's
// screen and in the appliance's record.
func succeed(t *testing.T, s *scene, m *lab.Machine) {
	t.Helper()
	enter(t, m, lab.Passcode)
	runSample(t, s, m)
}

// runSample is what succeed does after the sign-in.
func runSample(t *testing.T, s *scene, m *lab.Machine) {
	t.Helper()
	expect(t, m, 30*time.Second, "Choose a task sequence")
	keepScreen(t, m, m.MachineConfig.Name+"-choice")
	must(t, m.Console.Type("\r"))
	expect(t, m, 30*time.Second, `Step \d+ of \d+`)
	expect(t, m, 90*time.Second, "Succeeded")
	keepScreen(t, m, m.MachineConfig.Name+"-succeeded")

	all := s.deployments(t)
	if len(all) != 1 || all[0].Status != fleet.DeploymentSucceeded {
		t.Fatalf("the appliance's record: %+v", all)
	}
	device := s.device(t)
	if all[0].DeviceID != device.ID || device.UUID != m.UUID || device.Serial != m.Serial {
		t.Errorf("the deployment is of %s; the device is %+v, the machine %s %s", all[0].DeviceID, device, m.UUID, m.Serial)
	}
	sampleRecorded(t, s, m)
}

// sampleRecorded holds that the appliance has the result of each step of the sample,
// with the times of a machine whose clock is right, and what the steps said.
func sampleRecorded(t *testing.T, s *scene, m *lab.Machine) {
	t.Helper()
	disks, noDisks := "succeeded", "skipped"
	if len(m.Disks) == 0 && m.USB == "" && m.CD == "" {
		disks, noDisks = noDisks, disks
	}
	var got []string
	results := s.results(t)
	for _, r := range results {
		got = append(got, r.Name+": "+r.Status)
		if r.Status == "skipped" {
			continue
		}
		// A clock that is off by seconds is left alone.
		if r.StartedAt.Before(m.Started.Add(-time.Minute)) || r.EndedAt.Before(r.StartedAt) || r.EndedAt.After(time.Now().Add(time.Minute)) || r.ExitCode != 0 {
			t.Errorf("step %q: %+v", r.Name, r)
		}
	}
	want := []string{"Say hello: succeeded", "Show the model: succeeded", "Show the processors: succeeded", "Show the memory: succeeded",
		"Show the network addresses: succeeded", "Count the disks: succeeded", "Show the disks: " + disks,
		"Say that there is no disk: " + noDisks, "Remember the result: succeeded", "Say goodbye: succeeded"}
	if !slices.Equal(got, want) {
		t.Errorf("the steps' results: %q", got)
	}
	log := s.slipway(t, "", "deployment", "log", results[0].DeploymentID)
	for _, said := range []string{"Hello from Slipway", "sys_vendor: Slipway", m.MAC, "disk(s).", "The first task sequence has run."} {
		if !slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, said) && !strings.Contains(line, "echo") }) {
			t.Errorf("no %q in the deployment's log:\n%s", said, log)
		}
	}
}

// ordinary is a neighbour on the segment that must not notice the appliance.
type ordinary struct {
	*lab.OrdinaryClient
	s   *scene
	mac string
}

func newOrdinary(t *testing.T, s *scene) *ordinary {
	t.Helper()
	c, err := s.net.NewOrdinaryClient("neighbour")
	must(t, err)
	mac, err := c.MAC()
	must(t, err)
	return &ordinary{c, s, mac}
}

// check takes a lease and holds that nobody but the ordinary server spoke to
// the client, and of nothing but addresses.
func (o *ordinary) check(t *testing.T, when string) {
	t.Helper()
	lease, err := o.Lease()
	must(t, err)
	ip := net.ParseIP(lease["ip"]).To4()
	if ip == nil || ip[3] < 100 || ip[3] > 200 || lease["serverid"] != lab.DHCPAddress {
		t.Errorf("%s: the neighbour's lease is %v", when, lease)
	}
	packets, err := o.s.capture.Packets()
	must(t, err)
	answers := 0
	for _, p := range packets {
		if p.SrcPort != 67 || p.ClientMAC() != o.mac {
			continue
		}
		answers++
		if p.Src != lab.DHCPAddress {
			t.Errorf("%s: %s answered the neighbour's DHCP", when, p.Src)
		}
		for _, code := range []byte{43, 60, 66, 67, 97, 175} {
			if v := p.DHCPOption(code); v != nil {
				t.Errorf("%s: the neighbour got option %d: %q", when, code, v)
			}
		}
	}
	if answers == 0 {
		t.Errorf("%s: no answer to the neighbour was recorded", when)
	}
}
