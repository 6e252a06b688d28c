package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

type member struct {
	name    string
	content []byte
}

func archive(members ...member) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.content))
		b.Write(m.content)
		if len(m.content)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func tarOf(headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode = 0o755
		content := h.Uname
		h.Uname = ""
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = io.WriteString(w, content)
		}
	}
	_ = w.Close()
	return b.Bytes()
}

// file is a tar header; the content travels in a field that tarOf clears.
func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Uname: content}
}

func xzOf(b []byte) []byte {
	var out bytes.Buffer
	w, _ := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func gzOf(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func zstdOf(b []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(b, nil)
}

var version = member{"debian-binary", []byte("2.0\n")}

func TestWalkReadsEveryCompression(t *testing.T) {
	data := tarOf(tar.Header{Name: "./", Typeflag: tar.TypeDir}, file("./bin/busybox", "content"),
		tar.Header{Name: "./bin/sh", Typeflag: tar.TypeSymlink, Linkname: "busybox"},
		tar.Header{Name: "./bin/ash", Typeflag: tar.TypeLink, Linkname: "./bin/busybox"})
	for name, content := range map[string][]byte{"data.tar": data, "data.tar.gz": gzOf(data), "data.tar.xz": xzOf(data), "data.tar.zst": zstdOf(data)} {
		t.Run(name, func(t *testing.T) {
			pkg := archive(version, member{"control.tar.gz", gzOf(tarOf())}, member{name + "/", content})
			var got []string
			err := Walk(bytes.NewReader(pkg), func(e Entry, r io.Reader) error {
				b, err := io.ReadAll(r)
				got = append(got, fmt.Sprint(e.Path, "=", string(b), e.Link, e.Hard))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := "bin/busybox=contentfalse bin/sh=busyboxfalse bin/ash=bin/busyboxtrue"; strings.Join(got, " ") != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestControl(t *testing.T) {
	control := xzOf(tarOf(file("./md5sums", "x"), file("./control", "Package: linux\nVersion: 6.1-2\nDescription: a\n b\n")))
	p, err := Control(bytes.NewReader(archive(version, member{"control.tar.xz", control}, member{"data.tar", nil})))
	if err != nil {
		t.Fatal(err)
	}
	if p.Get("package") != "linux" || p.Get("VERSION") != "6.1-2" || p.Get("Description") != "a\nb" {
		t.Errorf("got %v", p)
	}
}

func TestBadPackagesAreRefused(t *testing.T) {
	good := archive(version, member{"data.tar.xz", xzOf(tarOf(file("./a", strings.Repeat("x", 5000))))})
	for name, pkg := range map[string][]byte{
		"empty":              nil,
		"not ar":             []byte("PK\x03\x04 something else"),
		"no version member":  archive(member{"data.tar", tarOf()}),
		"a newer format":     archive(member{"debian-binary", []byte("3.0\n")}, member{"data.tar", tarOf()}),
		"no data":            archive(version),
		"cut short":          good[:len(good)-40],
		"leaves the root":    archive(version, member{"data.tar", tarOf(file("./../etc/passwd", "x"))}),
		"hidden dot dot":     archive(version, member{"data.tar", tarOf(file("./a/../../b", "x"))}),
		"unknown compressor": archive(version, member{"data.tar.lz9", nil}),
	} {
		if err := Walk(bytes.NewReader(pkg), func(Entry, io.Reader) error { return nil }); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The decoder allocates the dictionary a block asks for: 4 GiB must not come true.
func TestHugeDictionariesAreRefused(t *testing.T) {
	for _, z := range [][]byte{xzOf(tarOf(file("a", "b"))), blocksOf(t, tarOf(file("a", strings.Repeat("b", 5000))), 1000)} {
		at := bytes.Index(z, []byte{0x21, 1})
		if at < 0 {
			t.Fatal("no LZMA2 filter")
		}
		z[at+2] = 40
		size := int(z[12]+1) * 4 // the block's header, which ends with its check value
		binary.LittleEndian.PutUint32(z[12+size-4:], crc32.ChecksumIEEE(z[12:12+size-4]))
		pkg := archive(version, member{"data.tar.xz", z})
		for _, r := range []io.Reader{bytes.NewReader(pkg), bytes.NewBuffer(pkg)} {
			err := Walk(r, func(_ Entry, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
			if err == nil || !strings.Contains(err.Error(), "dictionary of 4095 MiB") {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestWalkStops(t *testing.T) {
	pkg := archive(version, member{"data.tar", tarOf(file("a", ""), file("b", ""))})
	n := 0
	if err := Walk(bytes.NewReader(pkg), func(Entry, io.Reader) error { n++; return ErrStop }); err != nil || n != 1 {
		t.Errorf("%d entries, error %v", n, err)
	}
	boom := errors.New("boom")
	if err := Walk(bytes.NewReader(pkg), func(Entry, io.Reader) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("the callback's error was lost: %v", err)
	}
}

// The order follows Debian Policy 5.6.12; each pair was checked with
// dpkg --compare-versions.
func TestCompareVersions(t *testing.T) {
	ascending := []string{"0~~", "0~~a", "0~", "0", "0a", "0.1", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2", "1.0+git1-1", "1.2-1", "1.10-1",
		"6.1.99-1", "6.1.176-1", "6.1.192-2", "1:0.1", "1:1.35.0-4+deb12u1", "1:1.35.0-4+deb12u1+b1", "2:0"}
	for i, a := range ascending {
		for j, b := range ascending {
			c := CompareVersions(a, b)
			if c < 0 != (i < j) || c > 0 != (i > j) {
				t.Errorf("CompareVersions(%q, %q) = %d", a, b, c)
			}
		}
	}
	if CompareVersions("1.00-01", "1.0-1") != 0 {
		t.Error("leading zeros count")
	}
}

func TestParseDepends(t *testing.T) {
	got := fmt.Sprint(ParseDepends("linux-image-6.1.0-56-amd64 (= 6.1.192-2), kmod:any | busybox [amd64] (>= 1~),"))
	if want := "[[{linux-image-6.1.0-56-amd64 = 6.1.192-2}] [{kmod  } {busybox >= 1~}]]"; got != want {
		t.Errorf("got %s", got)
	}
}

func FuzzPackage(f *testing.F) {
	f.Add(archive(version, member{"control.tar.gz", gzOf(tarOf(file("./control", "Package: a\nVersion: 1\n")))}, member{"data.tar.zst", zstdOf(tarOf(file("./a", "b")))}))
	f.Add(archive(version, member{"data.tar.xz", xzOf(tarOf(file("./a", "b")))}))
	f.Add([]byte(arMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Control(bytes.NewReader(b))
		_ = Walk(bytes.NewReader(b), func(e Entry, r io.Reader) error {
			if strings.HasPrefix(e.Path, "/") || strings.Contains("/"+e.Path+"/", "/../") {
				t.Fatalf("path %q leaves the root", e.Path)
			}
			_, err := io.CopyN(io.Discard, r, 1<<20)
			if err == io.EOF {
				err = nil
			}
			return err
		})
	})
}

func FuzzParagraphs(f *testing.F) {
	f.Add("Package: a\nDepends: b (= 1), c | d\n e\n\nPackage: z\n")
	f.Fuzz(func(t *testing.T, s string) {
		ps, err := ParseParagraphs(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, p := range ps {
			for _, v := range p {
				ParseDepends(v)
				if CompareVersions(v, v) != 0 {
					t.Fatalf("%q is not equal to itself", v)
				}
			}
		}
	})
}
