package imaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// describe lists a tree as far as it must survive.
func describe(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(full, &s); err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, full)
		text := fmt.Sprintf("%s %o %d:%d dev %d time %d", name, s.Mode, s.Uid, s.Gid, s.Rdev, s.Mtim.Sec)
		if !d.IsDir() {
			text += fmt.Sprintf(" links %d size %d", s.Nlink, s.Size)
		}
		if d.Type().IsRegular() {
			data, err := os.ReadFile(full)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" sum %x", data[:min(len(data), 8)])
		}
		if to, err := os.Readlink(full); err == nil {
			text += " -> " + to
		}
		attributes, err := extended(full)
		list = append(list, text+fmt.Sprint(attributes))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestATreeComesBackAsItWas(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	r := rand.New(rand.NewPCG(5, 5))
	big := make([]byte, 9<<20) // several frames
	for i := range big {
		big[i] = byte(r.Uint32())
	}
	old := time.Unix(1e9, 0)
	err := errors.Join(os.MkdirAll(from+"/usr/bin", 0o755), os.MkdirAll(from+"/proc/1", 0o555), os.Mkdir(from+"/empty", 0o700),
		os.WriteFile(from+"/usr/bin/su", big, 0o755), os.Chmod(from+"/usr/bin/su", 0o4755|fs.ModeSetuid), os.Link(from+"/usr/bin/su", from+"/usr/bin/su2"),
		os.Symlink("/usr/bin/su", from+"/usr/link"), os.WriteFile(from+"/proc/1/x", nil, 0o600), os.WriteFile(from+"/secret", nil, 0o600),
		unix.Setxattr(from+"/usr/bin/su", "user.note", []byte("a\x00b"), 0), unix.Mkfifo(from+"/pipe", 0o640), os.Lchown(from+"/usr/link", 7, 8),
		os.Chown(from+"/empty", 1000, 1001), os.Chtimes(from+"/empty", old, old), os.WriteFile(from+"/"+strings.Repeat("n", 200), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	packed, err := Pack(t.Context(), from, &b, PackOptions{Exclude: []string{"/proc/*", "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := Extract(t.Context(), &b, to, ExtractOptions{System: true})
	if err != nil || done.Entries != packed.Entries || done.Bytes != packed.Bytes {
		t.Fatalf("%+v, packed %+v, %v", done, packed, err)
	}
	if err := errors.Join(os.RemoveAll(from+"/proc/1"), os.Remove(from+"/secret")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{from, to} { // their times changed just now
		if err := errors.Join(os.Chtimes(dir, old, old), os.Chtimes(dir+"/proc", old, old)); err != nil {
			t.Fatal(err)
		}
	}
	want, got := describe(t, from), describe(t, to)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if data, err := os.ReadFile(to + "/usr/bin/su"); err != nil || !bytes.Equal(data, big) {
		t.Errorf("the large file differs, %v", err)
	}
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("the appliance refused")
	}
	return len(p), nil
}

func TestPackingFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a", bytes.Repeat([]byte("0123456789"), 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(t.Context(), dir, &brokenWriter{100}, PackOptions{}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if _, err := Pack(t.Context(), dir, &bytes.Buffer{}, PackOptions{Exclude: []string{"[x"}}); err == nil || !strings.Contains(err.Error(), `"[x"`) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if _, err := Pack(ctx, dir, &bytes.Buffer{}, PackOptions{}); err == nil || err.Error() != "stopped" {
		t.Errorf("got %v", err)
	}
}
