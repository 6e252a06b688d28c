//go:build lab

package boottest

import (
	"bytes"
	"os"
	"testing"
	"time"

	"slipway/lab"
)

// On BIOS iPXE starts the wimboot that SLIPWAY_WIMBOOT names, which reads the image and
// goes on to Microsoft's bootmgr.exe. In its place is no program: it ends there.
func TestWimbootOnBIOS(t *testing.T) {
	wimboot := os.Getenv("SLIPWAY_WIMBOOT")
	if !soaking() || wimboot == "" {
		t.Skip("wimboot is not here: SLIPWAY_WIMBOOT names one, for make soak")
	}
	t.Parallel()
	s := newScene(t, "", nil)
	s.buildWinPE(t, 1, nil)
	s.slipway(t, "", "image", "wimboot", wimboot)
	said := s.run.Path("wimboot-bios.said")
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "wimboot-bios", Firmware: lab.BIOS, DebugPort: said})
	must(t, err)
	s.until(t, m, 2*time.Minute, "known", func(lab.Milestones) bool { return len(s.known(t, m)) == 1 })
	s.slipway(t, "", "device", "boot", m.UUID, "winpe")
	must(t, m.Reset(t.Context()))
	for _, words := range []string{"-- Windows Imaging Format bootloader", "Using boot.wim", "Emulating drive", "Could not load bootmgr.exe"} {
		s.until(t, m, 3*time.Minute, words, func(lab.Milestones) bool {
			text, _ := os.ReadFile(said)
			return bytes.Contains(text, []byte(words))
		})
	}
	text, err := os.ReadFile(said)
	must(t, err)
	t.Logf("wimboot says:\n%s", text)
}
