package lab

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The program says its word and goes on waiting.
func TestSayProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(path, sayProgram("Passcode\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "Passcode\n" {
		t.Errorf("said %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil { // fails when it is over already
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("ended with %v", err)
	}
}
