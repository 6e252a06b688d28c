package windowstarget

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest"
)

// The same tests, as a program for Windows.
func TestUnderWine(t *testing.T) {
	p := winetest.New(t)
	exe := filepath.Join(p.Dir, "windowstarget.test.exe")
	winetest.Build(t, exe, "test", "-c", "-ldflags=-checklinkname=0")
	out := p.Run(t, exe, "-test.v")
	for _, want := range []string{"--- PASS: TestIntoWritesTheContract", "--- PASS: TestSecurityDescriptorIsTheText", "\nPASS"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
