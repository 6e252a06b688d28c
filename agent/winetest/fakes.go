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

// Fakes take the place of Windows' tools in a prefix. Each call has to be the next one
// of the script; anything else fails the call, and the test.
type Fakes struct {
	dir string
}

// FakesHere are the fakes of the prefix that the calling test runs in: a program for
// Windows that a test on Linux has started.
func FakesHere(t testing.TB) *Fakes {
	t.Helper()
	dir := os.Getenv(script.Variable)
	if dir == "" {
		t.Skip("this test runs under Wine, started by a test on Linux")
	}
	return &Fakes{dir: dir}
}

// Place puts a fake where a tool is called by its path, beside the one in PATH.
func (f *Fakes) Place(t testing.TB, name, path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name+".exe"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Expect sets the calls that come from now on.
func (f *Fakes) Expect(t testing.TB, calls ...script.Call) {
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
func (f *Fakes) Done(t testing.TB) {
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
