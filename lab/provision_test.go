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

// The service reads what root names to it ("slipway content add X /tmp/file"), in /tmp
// and below the home of another user: it sees the same files, and may read them.
func TestTheServiceSeesTheFilesThatAreNamedToIt(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join(Root(), "lab", "slipway.service"))
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]string{}
	for line := range strings.Lines(string(unit)) {
		if key, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			value[key] = v
		}
	}
	if !strings.Contains(value["CapabilityBoundingSet"], "CAP_DAC_READ_SEARCH") {
		t.Errorf("root may not read the files of others: %s", value["CapabilityBoundingSet"])
	}
	for _, key := range []string{"PrivateTmp", "ProtectHome"} {
		if v := value[key]; v != "" && v != "false" && v != "no" && v != "read-only" {
			t.Errorf("%s=%s hides files", key, v)
		}
	}
	if value["ProtectSystem"] == "strict" && !strings.Contains(value["ReadWritePaths"]+" ", " /tmp ") {
		t.Errorf("apt and others find no place for temporary files: %s", value["ReadWritePaths"])
	}
}
