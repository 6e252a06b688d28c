package disk

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest"
)

// The disks of the machine that runs the tests are out of reach of the Windows agent.
func TestDisksUnderWine(t *testing.T) {
	p := winetest.New(t)
	exe := filepath.Join(p.Dir, "disk.test.exe")
	winetest.Build(t, exe, "test", "-c")
	out := p.Run(t, exe, "-test.v", "-test.run", "Wines")
	if !strings.Contains(out, "--- PASS: TestWinesDisksAreRefused") {
		t.Error(out)
	}
}
