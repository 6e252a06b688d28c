package steps

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest"
)

// TestStepsUnderWine runs the tests of the executors for Windows (*_windows_test.go) with
// the agent's own way to run programs. Windows' tools are fakes, which take only the
// calls that a test names.
func TestStepsUnderWine(t *testing.T) {
	p := winetest.New(t)
	exe := filepath.Join(p.Dir, "steps.test.exe")
	winetest.Build(t, exe, "test", "-c", "-ldflags=-checklinkname=0")
	p.Fakes(t)
	out, err := p.Try(exe, "-test.v", "-test.run", "OnWindows")
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(out, "--- PASS: Test") < 5 || strings.Contains(out, "--- SKIP") {
		t.Error("tests are missing")
	}
}
