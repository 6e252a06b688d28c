//go:build lab

package boottest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// Each path must fail when a part of it is broken: otherwise the tests that see
// it work would prove nothing.

func TestBrokenNoProxy(t *testing.T) {
	t.Parallel()
	forEachFirmware(t, func(t *testing.T, firmware lab.Firmware) {
		s := newScene(t, "dhcp:\n  mode: \"off\"\n", nil)
		m := s.powerOn(t, firmware)
		s.until(t, m, time.Minute, "the firmware asks", func(b lab.Milestones) bool { return b.Discover > 0 })
		// A loader is asked for within 10 s of the first DISCOVER when it is offered.
		stays(t, 25*time.Second, func() string {
			if b := s.milestones(t, m); b.Loader > 0 || b.Kernel > 0 {
				return "a machine booted without a proxy offer: " + b.String()
			}
			return ""
		})
	})
}

func TestBrokenMissingInitrd(t *testing.T) {
	t.Parallel()
	forEachFirmware(t, func(t *testing.T, firmware lab.Firmware) {
		s := newScene(t, "", func(data string) {
			if n := removeFiles(t, data, "initrd"); n == 0 {
				t.Fatal("no initrd in the data folder")
			}
		})
		m := s.powerOn(t, firmware)
		s.until(t, m, 90*time.Second, "the loader is fetched", func(b lab.Milestones) bool { return b.Loader > 0 })
		stays(t, 35*time.Second, func() string {
			if b := s.milestones(t, m); b.Agent > 0 || strings.Contains(m.Console.Text(), "Passcode") {
				return "a machine started without its initrd: " + b.String()
			}
			return ""
		})
	})
}

func TestBrokenWrongCA(t *testing.T) {
	t.Parallel()
	forEachFirmware(t, func(t *testing.T, firmware lab.Firmware) {
		s := newScene(t, "", nil)
		installation := serverName(t, s)
		m := s.powerOn(t, firmware)
		s.until(t, m, 2*time.Minute, "the initrd is fetched", func(b lab.Milestones) bool { return b.Initrd > 0 })
		quiet(t, s, m)
		s.appliance.Kill()
		impostor := newImpostor(t, s, installation)
		expect(t, m, 90*time.Second, "This is not the appliance that this boot image belongs to")
		stays(t, 10*time.Second, func() string {
			if n := impostor.requests.Load(); n > 0 {
				return "the agent spoke to an appliance with a foreign CA"
			}
			if strings.Contains(m.Console.Text(), "Choose a task sequence") {
				return "the machine got past the challenge"
			}
			return ""
		})
		if impostor.connections.Load() == 0 {
			t.Error("the agent never came to the impostor: nothing was tried")
		}
	})
}

func forEachFirmware(t *testing.T, test func(*testing.T, lab.Firmware)) {
	for _, firmware := range lab.NetworkFirmwares() {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			test(t, firmware)
		})
	}
}

// stays holds that nothing is wrong for a while.
func stays(t *testing.T, limit time.Duration, wrong func() string) {
	t.Helper()
	for deadline := time.Now().Add(lab.Timeout(limit)); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if why := wrong(); why != "" {
			t.Fatal(why)
		}
	}
}

// quiet waits until the boot server has sent its last packet to the machine.
func quiet(t *testing.T, s *scene, m *lab.Machine) {
	t.Helper()
	for deadline := time.Now().Add(lab.Timeout(time.Minute)); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		packets, err := s.capture.Packets()
		must(t, err)
		var last time.Time
		for _, p := range packets {
			if p.DstMAC == m.MAC && p.TCP && p.SrcPort == 8080 {
				last = p.Time
			}
		}
		if time.Since(last) > time.Second {
			return
		}
	}
	t.Fatal("the boot server does not stop sending")
}

// removeFiles removes the files below dir whose name begins so, and counts them.
func removeFiles(t *testing.T, dir, prefix string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasPrefix(d.Name(), prefix) {
			n++
			return os.Remove(path)
		}
		return err
	}))
	return n
}
