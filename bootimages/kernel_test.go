package bootimages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Modules are read whatever they are compressed by. One that is cut short is not taken
// for whole, and none makes the appliance allocate gigabytes.
func TestCompressedModules(t *testing.T) {
	content := strings.Repeat("a module of the kernel ", 300)
	packed := func(name string, args ...string) []byte {
		cmd := exec.Command(name, append(args, "--stdout")...)
		cmd.Stdin = strings.NewReader(content)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return out
	}
	read := func(p string, b []byte) (string, error) {
		plain, r, err := openModule(p, bytes.NewReader(b))
		if err != nil {
			return "", err
		}
		if plain != "kernel/a.ko" {
			t.Errorf("%s is called %s", p, plain)
		}
		got, err := io.ReadAll(r)
		return string(got), err
	}
	xz := packed("xz", "--check=crc32", "--block-size=1000", "--lzma2=preset=0,dict=64KiB")
	for p, b := range map[string][]byte{"kernel/a.ko": []byte(content), "kernel/a.ko.xz": xz, "kernel/a.ko.gz": packed("gzip"), "kernel/a.ko.zst": packed("zstd")} {
		if got, err := read(p, b); err != nil || got != content {
			t.Errorf("%s: %d bytes, %v", p, len(got), err)
		}
	}
	for n := range len(xz) {
		if got, err := read("kernel/a.ko.xz", xz[:n]); err == nil {
			t.Errorf("cut at %d of %d: %d bytes and no error", n, len(xz), len(got))
		}
	}
	if _, err := read("kernel/a.ko.xz", packed("xz", "--lzma2=preset=0,dict=1536MiB")); err == nil || !strings.Contains(err.Error(), "dictionary of 1536 MiB") {
		t.Errorf("a dictionary of 1.5 GiB: %v", err)
	}
	large := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 19 << 3, 1, 0, 0} // a frame with a window of 512 MiB
	if _, err := read("kernel/a.ko.zst", large); err == nil {
		t.Error("a window of 512 MiB was accepted")
	}
}

// A file of a package that is larger than what is read is refused, not cut.
func TestTooLargeFilesOfPackages(t *testing.T) {
	var data bytes.Buffer
	z, err := gzip.NewWriterLevel(&data, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	content := make([]byte, maxModule+1)
	err = w.WriteHeader(&tar.Header{Name: "./bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"data.tar.gz", data.Bytes()}} {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.content), m.content)
	}
	path := filepath.Join(t.TempDir(), "large.deb")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := fileFromDeb(path, []string{"bin/busybox"}); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s, err := readTools(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := s.find("bin/busybox"); ok {
		t.Errorf("a tool of %d bytes", len(got))
	}
}
