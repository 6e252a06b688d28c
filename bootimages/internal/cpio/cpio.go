// Package cpio writes and reads "newc" cpio archives, the form in which Linux
// takes its initial RAM file system (Documentation/driver-api/early-userspace/
// buffer-format.rst in the kernel's source).
//
// The writer is deterministic: every time stamp and owner is zero, inode numbers
// count up, and what is written depends on the calls alone.
package cpio

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// File type bits of the mode field (stat(2)).
const (
	TypeDir     = 0o040000
	TypeRegular = 0o100000
	TypeLink    = 0o120000
	TypeChar    = 0o020000
	typeMask    = 0o170000
)

const (
	magic      = "070701"
	trailer    = "TRAILER!!!"
	headerSize = 110
	maxName    = 4096 // PATH_MAX; the kernel skips longer ones
	maxSize    = 1<<32 - 1
)

// Header describes one entry.
type Header struct {
	Name         string // without a leading slash
	Mode         uint32 // type and permission bits
	Size         int64  // bytes of content; for a link, of its target
	Major, Minor uint32 // of a device node
}

// Writer writes an archive. Errors stick: the first one is returned by all later
// calls and by Close.
type Writer struct {
	w     io.Writer
	inode uint32
	pos   int64
	left  int64 // content still owed for the current entry
	err   error
}

// NewWriter returns a writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteHeader starts an entry; exactly h.Size bytes of Write must follow.
func (w *Writer) WriteHeader(h Header) error {
	if w.err == nil && w.left != 0 {
		w.err = fmt.Errorf("cpio: %d bytes missing before %s", w.left, h.Name)
	}
	if w.err == nil && (h.Name == "" || h.Name == trailer || len(h.Name) >= maxName || strings.ContainsRune(h.Name, 0)) {
		w.err = fmt.Errorf("cpio: bad name %q", h.Name)
	}
	if w.err == nil && (h.Size < 0 || h.Size > maxSize) {
		w.err = fmt.Errorf("cpio: %s is too large for the format", h.Name)
	}
	if w.err != nil {
		return w.err
	}
	w.inode++
	links := 1
	if h.Mode&typeMask == TypeDir {
		links = 2
	}
	w.entry(h, w.inode, links)
	w.left = h.Size
	if h.Size == 0 {
		w.pad()
	}
	return w.err
}

// Write writes content of the current entry.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if int64(len(p)) > w.left {
		w.err = errors.New("cpio: more content than announced")
		return 0, w.err
	}
	n := w.put(p)
	w.left -= int64(n)
	if w.left == 0 {
		w.pad()
	}
	return n, w.err
}

// Close writes the end of the archive. It does not close the writer below.
func (w *Writer) Close() error {
	if w.err == nil && w.left != 0 {
		w.err = fmt.Errorf("cpio: %d bytes missing at the end", w.left)
	}
	if w.err != nil {
		return w.err
	}
	w.entry(Header{Name: trailer}, 0, 1)
	w.pad()
	return w.err
}

func (w *Writer) entry(h Header, inode uint32, links int) {
	// ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
	w.put(fmt.Appendf(nil, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", magic,
		inode, h.Mode, 0, 0, links, 0, h.Size, 0, 0, h.Major, h.Minor, len(h.Name)+1, 0, h.Name))
	w.pad()
}

func (w *Writer) pad() {
	if n := -w.pos & 3; n > 0 {
		w.put(make([]byte, n))
	}
}

func (w *Writer) put(p []byte) int {
	if w.err != nil {
		return 0
	}
	n, err := w.w.Write(p)
	w.pos += int64(n)
	w.err = err
	return n
}

// Reader reads an archive.
type Reader struct {
	r    io.Reader
	pos  int64
	left int64
}

// NewReader returns a reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next skips to the next entry. It returns io.EOF at the trailer.
func (r *Reader) Next() (Header, error) {
	if err := r.skip(r.left); err != nil {
		return Header{}, err
	}
	r.left = 0
	if err := r.skip(-r.pos & 3); err != nil {
		return Header{}, err
	}
	var raw [headerSize]byte
	if err := r.full(raw[:]); err != nil {
		return Header{}, fmt.Errorf("cpio header: %w", err)
	}
	if string(raw[:6]) != magic {
		return Header{}, errors.New("cpio header: not a newc archive")
	}
	var f [13]uint32
	for i := range f {
		v, err := strconv.ParseUint(string(raw[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return Header{}, errors.New("cpio header: bad number")
		}
		f[i] = uint32(v)
	}
	if f[11] == 0 || f[11] > maxName {
		return Header{}, errors.New("cpio header: bad name length")
	}
	name := make([]byte, f[11])
	if err := r.full(name); err != nil {
		return Header{}, fmt.Errorf("cpio name: %w", err)
	}
	if err := r.skip(-r.pos & 3); err != nil {
		return Header{}, err
	}
	h := Header{Name: strings.TrimRight(string(name), "\x00"), Mode: f[1], Size: int64(f[6]), Major: f[9], Minor: f[10]}
	if h.Name == trailer {
		return Header{}, io.EOF
	}
	r.left = h.Size
	return h, nil
}

// Read reads content of the current entry.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.r.Read(p)
	r.pos += int64(n)
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (r *Reader) full(p []byte) error {
	n, err := io.ReadFull(r.r, p)
	r.pos += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) skip(n int64) error {
	done, err := io.CopyN(io.Discard, r.r, n)
	r.pos += done
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
