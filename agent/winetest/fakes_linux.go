package winetest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest/script"
)

// tools are Windows' programs that a test may expect calls of. All are replaced: what
// Wine has of them ends with success and does nothing.
var tools = []string{"diskpart", "dism", "bcdboot", "bcdedit", "reagentc", "drvload", "wpeutil", "wpeinit", "powershell", "djoin", "pnputil",
	"sysprep", "net", "netsh", "shutdown", "schtasks", "sc", "msiexec", "manage-bde", "certutil", "tzutil"}

// Fakes take the place of Windows' tools in a prefix. Each call has to be the next one
// of the script; anything else fails the call, and the test.
type Fakes struct {
	dir string
}

// Fakes puts fakes before all else in the prefix's PATH.
func (p *Prefix) Fakes(t *testing.T, calls ...script.Call) *Fakes {
	t.Helper()
	f := &Fakes{dir: filepath.Join(p.Dir, "fakes")}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(f.dir, "fake.exe")
	Build(t, exe, "build", "slipway/agent/winetest/fake")
	for _, name := range tools {
		if err := os.Link(exe, filepath.Join(f.dir, name+".exe")); err != nil {
			t.Fatal(err)
		}
	}
	p.Env = append(p.Env, "WINEPATH="+WindowsPath(f.dir), script.Variable+"="+WindowsPath(f.dir))
	f.Expect(t, calls...)
	return f
}

// Expect sets the calls that come from now on.
func (f *Fakes) Expect(t *testing.T, calls ...script.Call) {
	t.Helper()
	text, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, script.File), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{script.Calls, script.Failures} {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// Done reports calls that were not expected, and expected ones that did not come.
func (f *Fakes) Done(t *testing.T) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(f.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := read(script.Failures); text != "" {
		t.Errorf("calls that were not expected:\n%s", text)
	}
	var calls []script.Call
	if err := json.Unmarshal([]byte(read(script.File)), &calls); err != nil {
		t.Fatal(err)
	}
	came := strings.Count(read(script.Calls), "\n")
	for i, c := range calls {
		if i >= came && !c.Optional {
			t.Errorf("this call did not come: %s", c)
		}
	}
}
