package syslog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The form of the cursor's file is promised.
func TestCursorGolden(t *testing.T) {
	name := filepath.Join(t.TempDir(), "syslog.cursor")
	c := at(testEntries()[1])
	if err := c.write(name); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/cursor-1.json"
	if *update {
		if err := os.WriteFile(golden, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(have) != string(want) {
		t.Errorf("the cursor is now %s, and was %s (%v)", have, want, err)
	}
	if back, err := readCursor(golden); err != nil || back != c {
		t.Errorf("read back: %+v, %v", back, err)
	}
	if list, err := os.ReadDir(filepath.Dir(name)); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestCursorFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "syslog.cursor")
	if c, err := readCursor(name); err != nil || c.Number != 0 {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	for body, want := range map[string]string{"": "damaged", "{}": "damaged", "\x00\x00": "damaged", `{"format":1,"number":-4}`: "damaged",
		`{"format":2,"number":4}`: "newer version", strings.Repeat(" ", 5000) + `{"format":1}`: "damaged"} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readCursor(name)
		if err == nil || c.Number != 0 || !strings.Contains(err.Error(), want) || (want == "damaged") != errors.Is(err, errCursor) {
			t.Errorf("%q: %+v, %v", body, c, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"format":1,"number":4,"sum":"ab"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := readCursor(name); err == nil && (c.Format != 1 || c.Number < 0) {
			t.Errorf("%q gives %+v", data, c)
		}
	})
}
