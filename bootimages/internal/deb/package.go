package deb

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// maxControl bounds the control file that is read into memory; a kernel's
// md5sums, the largest known control member, is 400 kB.
const maxControl = 4 << 20

// Entry is one file of a package's data archive. Its content is read from the
// reader handed to the walk function, and only during that call.
type Entry struct {
	Path string // cleaned, without a leading slash: "bin/busybox"
	Mode os.FileMode
	Size int64
	Link string // target of a symbolic link, or of a hard link (cleaned path)
	Hard bool   // Link is a hard link
}

// ErrStop ends a walk early without an error.
var ErrStop = errors.New("stop the walk")

// Control reads the control fields of a package.
func Control(r io.Reader) (Paragraph, error) {
	var found Paragraph
	err := walkMember(r, "control.tar", func(h *tar.Header, content io.Reader) error {
		if cleanPath(h.Name) != "control" || h.Typeflag != tar.TypeReg {
			return nil
		}
		b, err := readBounded(content, maxControl)
		if err != nil {
			return err
		}
		ps, err := ParseParagraphs(bytes.NewReader(b))
		if err != nil {
			return err
		}
		if len(ps) != 1 || ps[0].Get("Package") == "" || ps[0].Get("Version") == "" {
			return errors.New("control file names no package and version")
		}
		found = ps[0]
		return ErrStop
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, errors.New("package has no control file")
	}
	return found, nil
}

// Walk calls fn for each file of the data archive, in the archive's order. When r
// is an io.ReaderAt too, large archives are decompressed on all processors.
// Directories and special files are left out. Paths that would leave the root
// are an error.
func Walk(r io.Reader, fn func(e Entry, content io.Reader) error) error {
	return walkMember(r, "data.tar", func(h *tar.Header, content io.Reader) error {
		e := Entry{Path: cleanPath(h.Name), Mode: h.FileInfo().Mode().Perm(), Size: h.Size}
		if e.Path == "" || !localPath(h.Name) {
			if h.Typeflag == tar.TypeDir {
				return nil
			}
			return fmt.Errorf("package holds an unsafe path %q", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeSymlink:
			e.Link = h.Linkname
		case tar.TypeLink:
			e.Link, e.Hard = cleanPath(h.Linkname), true
		default:
			return nil
		}
		return fn(e, content)
	})
}

func walkMember(r io.Reader, prefix string, fn func(*tar.Header, io.Reader) error) error {
	a, err := newArReader(r)
	if err != nil {
		return err
	}
	if err := checkFormat(a); err != nil {
		return err
	}
	for {
		m, err := a.Next()
		if err == io.EOF {
			return fmt.Errorf("package has no %s member", prefix)
		}
		if err != nil {
			return err
		}
		if m.Name != prefix && !strings.HasPrefix(m.Name, prefix+".") {
			continue
		}
		z, err := openMember(r, a, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		defer z.Close()
		if err := walkTar(z, fn); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		return nil
	}
}

// openMember decompresses a member, in parallel where r allows to.
func openMember(r io.Reader, a *arReader, m arMember) (io.ReadCloser, error) {
	if at, ok := r.(io.ReaderAt); ok && path.Ext(m.Name) == ".xz" {
		z, err := parallelXZ(io.NewSectionReader(at, m.Offset, m.Size), m.Size)
		if !errors.Is(err, errSerial) {
			return z, err
		}
	}
	return decompress(a, m.Name)
}

// checkFormat reads debian-binary, which must come first and say 2.x.
func checkFormat(a *arReader) error {
	m, err := a.Next()
	if err != nil || m.Name != "debian-binary" {
		return errNotAr
	}
	b, err := readBounded(a, 64)
	if err != nil || !strings.HasPrefix(string(b), "2.") {
		return errors.New("unknown version of the package format")
	}
	return nil
}

func walkTar(r io.Reader, fn func(*tar.Header, io.Reader) error) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(h, t); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
	}
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, errors.New("larger than allowed")
	}
	return b, nil
}

// cleanPath turns "./a//b" into "a/b" and "./" into "".
func cleanPath(p string) string {
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}

// localPath reports whether the path stays in the package without its ".." parts
// being resolved away.
func localPath(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}
