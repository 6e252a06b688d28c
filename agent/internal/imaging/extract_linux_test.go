package imaging

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"
)

type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, content}
}

func folder(name string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
}

func link(kind byte, name, target string) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}}
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Uid, e.Gid = os.Getuid(), os.Getgid()
		if e.ModTime.IsZero() {
			e.ModTime = time.Unix(1e9, 0)
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pack(t testing.TB, form string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch form {
	case Plain:
		return data
	case Gzip:
		w = gzip.NewWriter(&b)
	case XZ:
		w, err = xz.NewWriter(&b)
	case Zstd:
		w, err = zstd.NewWriter(&b)
	case Zip:
		z := zip.NewWriter(&b)
		f, err := z.Create("disk.bin")
		if err == nil {
			_, err = f.Write(data)
		}
		if err = errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRootFileSystemIsExtractedAsItWas(t *testing.T) {
	old := time.Unix(1234567890, 123456789)
	ro := folder("./locked")
	ro.Mode, ro.ModTime, ro.Format = 0o555, old, tar.FormatPAX
	su := file("./usr/bin/su", "setuid")
	su.Mode, su.ModTime, su.Format = 0o4755, old, tar.FormatPAX
	su.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	sparse := file("./usr/sparse", strings.Repeat("\x00", 3<<20))
	pipe := entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "./pipe", Mode: 0o600}}
	data := archive(t, folder("./"), folder("./usr"), link(tar.TypeSymlink, "./bin", "usr/bin"), ro, file("./locked/in", "x"),
		su, link(tar.TypeLink, "./usr/bin/su2", "./usr/bin/su"), link(tar.TypeSymlink, "./abs", "/etc/passwd"),
		file("./bin/through", "by the link"), sparse, pipe, link(tar.TypeSymlink, "./dangling", "nowhere"))
	for _, form := range []string{Plain, Gzip, XZ, Zstd} {
		dir := t.TempDir()
		done, err := Extract(t.Context(), bytes.NewReader(pack(t, form, data)), dir, ExtractOptions{System: true})
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if done.Entries != 12 {
			t.Errorf("%s: %+v", form, done)
		}
		var stat, other syscall.Stat_t
		if err := errors.Join(syscall.Stat(dir+"/usr/bin/su", &stat), syscall.Stat(dir+"/usr/bin/su2", &other)); err != nil {
			t.Fatal(err)
		}
		if stat.Ino != other.Ino || stat.Mode&0o7777 != 0o4755 || stat.Mtim.Nano() != old.UnixNano() {
			t.Errorf("%s: su %o %v, inodes %d %d", form, stat.Mode, stat.Mtim, stat.Ino, other.Ino)
		}
		value := make([]byte, 100)
		if n, err := unix.Lgetxattr(dir+"/usr/bin/su", "security.capability", value); err != nil || n != 20 {
			t.Errorf("%s: the capability: %d bytes, %v", form, n, err)
		}
		if info, err := os.Stat(dir + "/locked"); err != nil || info.Mode().Perm() != 0o555 || !info.ModTime().Equal(old) {
			t.Errorf("%s: folder %v %v", form, info.Mode(), err)
		}
		if text, err := os.ReadFile(dir + "/usr/bin/through"); err != nil || string(text) != "by the link" {
			t.Errorf("%s: %q %v", form, text, err)
		}
		if err := syscall.Stat(dir+"/usr/sparse", &stat); err != nil || stat.Size != 3<<20 || stat.Blocks > 64 {
			t.Errorf("%s: sparse: %d bytes in %d blocks, %v", form, stat.Size, stat.Blocks, err)
		}
		if to, err := os.Readlink(dir + "/abs"); err != nil || to != "/etc/passwd" {
			t.Errorf("%s: %q %v", form, to, err)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	device := entry{Header: tar.Header{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8}}
	many := make([]entry, 0, 30)
	for i := range 30 {
		many = append(many, file(strings.Repeat("x", i+1), ""))
	}
	tests := map[string]struct {
		entries []entry
		system  bool
		want    string
	}{
		"path escape":                   {[]entry{file("a/../../evil", "x")}, true, `"a/../../evil": its name leads out`},
		"absolute":                      {[]entry{file("/evil", "x")}, true, `"/evil": its name begins with /`},
		"link out":                      {[]entry{link(tar.TypeSymlink, "a/b", "../../outside")}, true, `"a/b": it is a link to "../../outside", out of`},
		"absolute link":                 {[]entry{link(tar.TypeSymlink, "a", "/etc")}, false, "out of the folder"},
		"write through link":            {[]entry{link(tar.TypeSymlink, "a", "/OUTSIDE"), file("a/evil", "x")}, true, `"a/evil": enter its folder`},
		"folder over link":              {[]entry{link(tar.TypeSymlink, "a", "/OUTSIDE"), folder("a"), file("a/evil", "x")}, true, `"a": it is there twice`},
		"hard link out":                 {[]entry{link(tar.TypeLink, "a", "../../etc/passwd")}, true, `hard link to "../../etc/passwd"`},
		"hard link absolute":            {[]entry{link(tar.TypeLink, "a", "/etc/passwd")}, true, `hard link to "/etc/passwd"`},
		"hard link through link":        {[]entry{link(tar.TypeSymlink, "l", "/OUTSIDE"), link(tar.TypeLink, "a", "l/secret")}, true, `"a"`},
		"hard link before its target":   {[]entry{link(tar.TypeLink, "a", "b"), file("b", "x")}, true, "which is not there"},
		"twice":                         {[]entry{file("a", "1"), file("a", "2")}, true, `"a": it is there twice`},
		"folder twice":                  {[]entry{folder("a"), folder("./a/")}, true, "there twice"},
		"device":                        {[]entry{device}, false, `"disk": it is a device or a pipe`},
		"too many entries":              {many, true, "more than 20 entries"},
		"larger than the room":          {[]entry{file("big", strings.Repeat("y", 2000))}, true, `"big": it has 2000 bytes, but there is room for 1000`},
		"file as folder":                {[]entry{file("a", "x"), file("a/b", "y")}, true, `"a/b"`},
		"nothing":                       {nil, true, "is empty"},
		"the folder itself as a file":   {[]entry{file("./.", "x")}, true, "only a folder"},
		"folder behind an absolute one": {[]entry{link(tar.TypeSymlink, "a", "/OUTSIDE"), folder("a/b")}, true, `"a/b"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			outside, dir := t.TempDir(), filepath.Join(t.TempDir(), "in", "here")
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(outside+"/secret", nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			for i, e := range tt.entries {
				tt.entries[i].Linkname = strings.Replace(e.Linkname, "/OUTSIDE", outside, 1)
			}
			_, err := Extract(t.Context(), bytes.NewReader(archive(t, tt.entries...)), dir, ExtractOptions{System: tt.system, Entries: 20, Bytes: 1000})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if found, _ := filepath.Glob(outside + "/*"); len(found) != 1 {
				t.Errorf("outside: %v", found)
			}
			if found, _ := filepath.Glob(filepath.Dir(dir) + "/*"); len(found) != 1 {
				t.Errorf("beside: %v", found)
			}
		})
	}
}

// endless is a tar archive of one huge file of zeros.
type endless struct{ io.Reader }

func (endless) zeros(p []byte) (int, error) { clear(p); return len(p), nil }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBombIsStopped(t *testing.T) {
	var head, packed bytes.Buffer
	w := tar.NewWriter(&head)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Size: 5 << 30, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(z, io.MultiReader(&head, io.LimitReader(readerFunc(endless{}.zeros), 1<<30+64<<20)))
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, err = Extract(t.Context(), &packed, dir, ExtractOptions{System: true, Bytes: 1 << 40})
	if err == nil || !strings.Contains(err.Error(), "times its size") {
		t.Errorf("got %v", err)
	}
}

func TestBrokenArchives(t *testing.T) {
	whole := pack(t, Zstd, archive(t, file("a", strings.Repeat("hello", 100_000))))
	for name, data := range map[string][]byte{"cut": whole[:len(whole)/2], "no archive": []byte(strings.Repeat("no archive ", 1000)), "empty": nil} {
		if _, err := Extract(t.Context(), bytes.NewReader(data), t.TempDir(), ExtractOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if _, err := Extract(ctx, bytes.NewReader(whole), t.TempDir(), ExtractOptions{}); err == nil || err.Error() != "stopped" {
		t.Errorf("got %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(archive(f, folder("a"), file("a/b", "c"), link(tar.TypeSymlink, "l", "a"), link(tar.TypeLink, "h", "a/b")))
	f.Add(archive(f, link(tar.TypeSymlink, "a", "/"), file("a/evil", "x")))
	f.Add(pack(f, Zstd, archive(f, file("../x", "y"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		above := t.TempDir()
		dir := filepath.Join(above, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = Extract(t.Context(), bytes.NewReader(data), dir, ExtractOptions{Bytes: 1 << 20, Entries: 100})
		if found, _ := filepath.Glob(above + "/*"); len(found) != 1 {
			t.Errorf("something left the folder: %v", found)
		}
		_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, _ error) error { // so that it can be cleaned up
			if d != nil && d.IsDir() {
				_ = os.Chmod(p, 0o700)
			}
			return nil
		})
	})
}
