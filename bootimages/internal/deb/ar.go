package deb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// arMagic opens every ar archive (ar(5), common format).
const arMagic = "!<arch>\n"

const arHeaderSize = 60

// errNotAr is returned for files that are not an ar archive at all.
var errNotAr = errors.New("not a Debian package (no ar header)")

// arReader walks the members of an ar archive in order. Only the common format
// with short names is read: that is all deb(5) allows.
type arReader struct {
	r       *positionReader
	current *io.LimitedReader
	pad     int64
}

type arMember struct {
	Name   string
	Size   int64
	Offset int64 // of the content in the archive
}

// positionReader counts what was read.
type positionReader struct {
	r io.Reader
	n int64
}

func (p *positionReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

func newArReader(in io.Reader) (*arReader, error) {
	r := &positionReader{r: in}
	magic := make([]byte, len(arMagic))
	_, err := io.ReadFull(r, magic)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if err != nil || string(magic) != arMagic {
		return nil, errNotAr
	}
	return &arReader{r: r}, nil
}

// Next skips what is left of the current member and returns the next one, or
// io.EOF after the last.
func (a *arReader) Next() (arMember, error) {
	if err := a.skip(); err != nil {
		return arMember{}, err
	}
	var h [arHeaderSize]byte
	if _, err := io.ReadFull(a.r, h[:]); err != nil {
		if err == io.EOF {
			return arMember{}, io.EOF
		}
		return arMember{}, fmt.Errorf("ar header: %w", err)
	}
	if h[58] != '`' || h[59] != '\n' {
		return arMember{}, errors.New("ar header: bad end mark")
	}
	size, err := strconv.ParseInt(string(bytes.TrimRight(h[48:58], " ")), 10, 64)
	if err != nil || size < 0 {
		return arMember{}, errors.New("ar header: bad member size")
	}
	a.current = &io.LimitedReader{R: a.r, N: size}
	a.pad = size & 1
	name := string(bytes.TrimSuffix(bytes.TrimRight(h[:16], " "), []byte("/")))
	return arMember{Name: name, Size: size, Offset: a.r.n}, nil
}

// Read reads the current member.
func (a *arReader) Read(p []byte) (int, error) {
	if a.current == nil {
		return 0, io.EOF
	}
	n, err := a.current.Read(p)
	if err == io.EOF && a.current.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (a *arReader) skip() error {
	if a.current == nil {
		return nil
	}
	left := a.current.N
	n, err := io.CopyN(io.Discard, a.current.R, left)
	if err != nil || n != left {
		return fmt.Errorf("ar member is cut short: %w", io.ErrUnexpectedEOF)
	}
	if a.pad == 1 {
		var b [1]byte
		// The pad byte after the last member may be missing.
		if _, err := io.ReadFull(a.r, b[:]); err != nil && err != io.EOF {
			return fmt.Errorf("ar padding: %w", err)
		}
	}
	a.current = nil
	return nil
}
