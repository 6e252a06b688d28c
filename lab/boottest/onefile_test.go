//go:build lab

package boottest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// The boot image as one program: firmware loads it by itself, by TFTP and by HTTP,
// with no loader in between; the agent, told nothing by its command line, finds the
// appliance by DHCP. The machine's clock is years off.
func TestOneFileBoot(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.UEFIHTTP} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "boot: {uefi: one-file}\n", nil)
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: string(firmware), Firmware: firmware, RTC: longAgo})
			must(t, err)
			expect(t, m, 2*time.Minute, "Passcode")
			times := s.milestones(t, m)
			times.Prompt = time.Since(m.Started)
			fmt.Printf("BOOT %s one-file: %v\n", firmware, times)
			keepScreen(t, m, string(firmware)+"-one-file")
			if asked := s.asked(t, m); len(asked) == 0 || strings.Contains(strings.Join(asked, " "), "snponly") {
				t.Errorf("the firmware asked for %q", asked)
			}
			if d := s.device(t); d.UUID != m.UUID || d.ImageID == "" || d.Firmware != string(firmware) {
				t.Errorf("the device is recorded as %+v", d)
			}
			succeed(t, s, m)

			// To its disk: the program is refused, and the firmware goes on to its next entry.
			s.slipway(t, "", "device", "boot", s.device(t).ID, "disk")
			m.Console.Skip()
			must(t, m.Reset(t.Context()))
			expect(t, m, time.Minute, "failed to load Boot")
			fmt.Printf("BOOT %s one-file refused for the disk: %.1f s\n", firmware, time.Since(m.Started).Seconds())
		})
	}
}

// asked lists the files that a machine's firmware asked for, by TFTP or HTTP.
func (s *scene) asked(t *testing.T, m *lab.Machine) (files []string) {
	t.Helper()
	packets, err := s.capture.Packets()
	must(t, err)
	for _, p := range packets {
		if p.SrcMAC != m.MAC {
			continue
		}
		if f := p.TFTPFile() + p.HTTPPath(); f != "" {
			files = append(files, f)
		}
	}
	return files
}
