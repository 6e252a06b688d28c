package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A word that lab/provision.sh does not know is refused before anything is done.
func TestProvisionRefusesAnUnknownImage(t *testing.T) {
	c := exec.CommandContext(t.Context(), "bash", filepath.Join(Root(), "lab", "provision.sh"))
	// No program but the shell's own is found, so a script that goes on does no harm.
	c.Env = append(os.Environ(), "SLIPWAY_SOURCE="+Root(), "SLIPWAY_IMAGE=windows", "PATH="+t.TempDir())
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "SLIPWAY_IMAGE is linux or none, not windows") {
		t.Errorf("%v: %s", err, out)
	}
}
