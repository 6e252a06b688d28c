package installed

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func open(t *testing.T, dir string) *state {
	t.Helper()
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStateIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "agent")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.close()
	for name, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, pidName): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(link); err == nil || !strings.Contains(err.Error(), "is to be a folder") {
		t.Errorf("a link as folder: %v", err)
	}
}

func TestASecondAgentIsToldSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	s := open(t, dir)
	_, err := openState(dir)
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "(process ") {
		t.Errorf("second agent: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if err := again.wipe(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	third := open(t, dir) // and can be made anew
	defer third.close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(file); err == nil {
		t.Error("a file is taken as folder")
	}
}

// A lock on a folder that another agent has just removed protects nothing.
func TestOneAtATimeWhileFoldersComeAndGo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for done := 0; done < 50; {
				s, err := openState(dir)
				if errors.Is(err, ErrRunning) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two agents have the folder")
				}
				inside.Add(-1)
				if err := s.wipe(); err != nil {
					t.Error(err)
					return
				}
				done++
			}
		})
	}
	all.Wait()
}

func TestWipeOverwritesAndRemoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	s := open(t, dir)
	secret := bytes.Repeat([]byte("token and key "), 10_000)
	for _, name := range []string{"token.json", "token.json.123", "address/deep/variables"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, secret, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "identity.link")); err != nil {
		t.Fatal(err)
	}
	// A second name shows what became of the bytes behind the first.
	witness := filepath.Join(t.TempDir(), "witness")
	if err := os.Link(filepath.Join(dir, "token.json"), witness); err != nil {
		t.Fatal(err)
	}
	if err := s.wipe(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadFile(witness); len(left) != len(secret) || len(bytes.Trim(left, "\x00")) != 0 {
		t.Errorf("%d bytes are left, %.20q", len(left), left)
	}
	if kept, _ := os.ReadFile(outside); !bytes.Equal(kept, secret) {
		t.Error("a link led the wipe out of the folder")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// What is in the folder is wiped at the end: a folder of somebody else's is refused
// as it is.
func TestSomebodyElsesFolderIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pid", "letter.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openState(dir); err == nil || !strings.Contains(err.Error(), "holds other files (letter.txt)") {
		t.Errorf("got %v", err)
	}
	info, err := os.Stat(dir)
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil || info.Mode().Perm() != 0o755 || string(text) != "mine" {
		t.Errorf("the folder was changed: %v, %q, %v", info, text, err)
	}
}
