package bootimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"slipway/bootimages/internal/cpio"
)

// node is one entry of the initial RAM file system.
type node struct {
	header cpio.Header
	open   func() (io.ReadCloser, error)
	sum    string // SHA-256 (hex) that went into the image's id; "" is not checked
}

// tree collects the entries of an archive by path; parents come by themselves.
type tree map[string]node

func (t tree) dir(p string, perm uint32) {
	t.parents(p)
	t[p] = node{header: cpio.Header{Name: p, Mode: cpio.TypeDir | perm}}
}

func (t tree) parents(p string) {
	for d := path.Dir(p); d != "."; d = path.Dir(d) {
		if _, ok := t[d]; !ok {
			t[d] = node{header: cpio.Header{Name: d, Mode: cpio.TypeDir | 0o755}}
		}
	}
}

// add adds an entry and refuses a second one with the same path.
func (t tree) add(n node) error {
	if _, ok := t[n.header.Name]; ok {
		return fmt.Errorf("%s is in the image twice", n.header.Name)
	}
	for d := path.Dir(n.header.Name); d != "."; d = path.Dir(d) {
		if have, ok := t[d]; ok && have.header.Mode&cpio.TypeDir == 0 {
			return fmt.Errorf("%s lies below %s, which is no folder", n.header.Name, d)
		}
	}
	t.parents(n.header.Name)
	t[n.header.Name] = n
	return nil
}

func (t tree) bytes(name string, perm uint32, content []byte) error {
	return t.add(node{header: cpio.Header{Name: name, Mode: cpio.TypeRegular | perm, Size: int64(len(content))},
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }})
}

// file adds a file of this machine that must still have the hash it had when the
// inputs were resolved.
func (t tree) file(name string, perm uint32, source string, size int64, sum string) error {
	return t.add(node{header: cpio.Header{Name: name, Mode: cpio.TypeRegular | perm, Size: size}, sum: sum,
		open: func() (io.ReadCloser, error) { return os.Open(source) }})
}

func (t tree) link(name, target string) error {
	return t.add(node{header: cpio.Header{Name: name, Mode: cpio.TypeLink | 0o777, Size: int64(len(target))},
		open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(target)), nil }})
}

func (t tree) device(name string, perm, major, minor uint32) error {
	return t.add(node{header: cpio.Header{Name: name, Mode: cpio.TypeChar | perm, Major: major, Minor: minor}})
}

// size is the sum of the contents in bytes.
func (t tree) size() int64 {
	var n int64
	for _, e := range t {
		n += e.header.Size
	}
	return n
}

// write writes the archive in the order of paths, so that a folder precedes what
// is in it. done is told the bytes of content written so far.
func (t tree) write(ctx context.Context, w io.Writer, done func(int64)) error {
	c := cpio.NewWriter(w)
	var n int64
	for _, name := range sortedKeys(t) {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := t[name]
		if err := e.write(c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n += e.header.Size
		done(n)
	}
	return c.Close()
}

func (n node) write(c *cpio.Writer) error {
	if err := c.WriteHeader(n.header); err != nil || n.header.Size == 0 {
		return err
	}
	r, err := n.open()
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	copied, err := io.Copy(c, io.TeeReader(io.LimitReader(r, n.header.Size), h))
	if err != nil {
		return err
	}
	if copied != n.header.Size || n.sum != "" && hex.EncodeToString(h.Sum(nil)) != n.sum {
		return fmt.Errorf("%w: it changed while the image was built; build again", ErrCorrupt)
	}
	return nil
}
