package certificate

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest"
)

// The tests of the machine's store, against the certificate stores of Wine. What
// Wine cannot do, keys in Windows' key storage, they leave out (store_windows_test.go).
func TestStoreUnderWine(t *testing.T) {
	p := winetest.New(t)
	exe := filepath.Join(p.Dir, "certificate.test.exe")
	winetest.Build(t, exe, "test", "-c")
	out := p.Run(t, exe, "-test.v", "-test.run", "MachineStore")
	for _, want := range []string{"--- PASS: TestMachineStoreWithoutKey", "\nPASS"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestStoreIsOnWindowsOnly(t *testing.T) {
	_, err := Load(Options{StoreIssuer: "CA"})
	if err == nil || !strings.Contains(err.Error(), "on Windows only") {
		t.Error(err)
	}
}
