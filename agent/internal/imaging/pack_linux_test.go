package imaging

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
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
		var note [16]byte
		if n, err := unix.Lgetxattr(full, "user.note", note[:]); err == nil {
			text += fmt.Sprintf(" note %q", note[:n])
		}
		list = append(list, text)
		return nil
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
		unix.Mknod(from+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), unix.Setxattr(from+"/usr/bin/su", "user.note", []byte("a\x00b"), 0), unix.Mkfifo(from+"/pipe", 0o640), os.Lchown(from+"/usr/link", 7, 8),
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

// What only a running system has stays out: sockets, and what other file systems hold.
func TestWhatIsNotPacked(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	socket, err := net.Listen("unix", from+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := errors.Join(os.Mkdir(from+"/mounted", 0o755), unix.Mount("none", from+"/mounted", "tmpfs", 0, "size=1m")); err != nil {
		t.Fatalf("mount a file system (the tests run as root): %v", err)
	}
	defer func() {
		if err := unix.Unmount(from+"/mounted", 0); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(os.WriteFile(from+"/mounted/inside", nil, 0o600), os.WriteFile(from+"/after", []byte("four"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	told := int64(0)
	if _, err := Pack(t.Context(), from, &b, PackOptions{Progress: func(done int64) { told = done }}); err != nil {
		t.Fatal(err)
	}
	if _, err := Extract(t.Context(), &b, to, ExtractOptions{System: true}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range describe(t, to) {
		names = append(names, strings.Fields(line)[0])
	}
	if !slices.Equal(names, []string{".", "after", "mounted"}) || told != 4 {
		t.Errorf("packed %q, told of %d bytes", names, told)
	}
}

// A file that shrinks while it is read ends in zeros; the archive is whole, and says
// nothing of who owns what in the system that packs.
func TestPackingAFileThatShrinks(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/a"
	if err := errors.Join(os.WriteFile(file, bytes.Repeat([]byte("x"), 3<<20), 0o600), os.WriteFile(dir+"/b", []byte("b"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var warned []string
	o := PackOptions{Warn: func(text string) { warned = append(warned, text) }, Progress: func(done int64) {
		if done == 1<<20 {
			if err := os.Truncate(file, 1<<20+100); err != nil {
				t.Error(err)
			}
		}
	}}
	var b bytes.Buffer
	if _, err := Pack(t.Context(), dir, &b, o); err != nil {
		t.Fatal(err)
	}
	if len(warned) == 0 || warned[0] != "./a became shorter while it was read" {
		t.Errorf("warned %q", warned)
	}
	s, err := Unpack(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	archive, err := io.ReadAll(s)
	if err != nil || len(archive) < 1024 || !bytes.Equal(archive[len(archive)-1024:], make([]byte, 1024)) || len(archive)%512 != 0 {
		t.Errorf("the archive of %d bytes has no end: %v", len(archive), err)
	}
	in := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uname+h.Gname != "" {
			t.Errorf("%s is of %s:%s", h.Name, h.Uname, h.Gname)
		}
		if h.Name != "./a" {
			continue
		}
		got, err := io.ReadAll(in)
		want := append(bytes.Repeat([]byte("x"), 1<<20+100), make([]byte, 2<<20-100)...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, the last x at %d", err, len(got), bytes.LastIndexByte(got, 'x'))
		}
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
