// Package wim looks into Windows image files and lets wimlib-imagex (Debian package
// wimtools) work on them. The header and the description are read by ourselves
// ("Windows Imaging File Format (WIM)", Microsoft 2007), so that a file that is no
// image, cut short, split or encrypted is called so before any work begins.
package wim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	format "slipway/images/windows/wim"
)

// What can be wrong with a file. Errors wrap one of these.
var (
	ErrNotWIM    = errors.New("not a Windows image (WIM)")
	ErrTruncated = errors.New("the file is cut short: copy or download it again")
	ErrEncrypted = errors.New("the image is encrypted: decrypt it first, or use the Windows ISO")
	ErrSplit     = errors.New("the image is split (SWM): join the parts first (wimlib-imagex join)")
	ErrDamaged   = format.ErrDamaged
)

// Info and Image are what an image file says of itself.
type (
	Info  = format.Info
	Image = format.Image
)

// Magic begins every image.
const Magic = "MSWIM\x00\x00\x00"

const (
	headerSize   = 208
	maxXML       = 16 << 20
	flagSpanned  = 0x08
	flagWriting  = 0x40
	resourceMask = 1<<56 - 1
	atGUID       = 24
	atXML        = 72 // the resources: 48 blobs, 72 description, 96 boot metadata, 124 integrity
)

// header is what is needed of an image's first bytes.
type header struct {
	images    uint32
	bootIndex uint32
	xml       resource
}

// resource is where a part of the file lies.
type resource struct{ offset, stored, size int64 }

// readHeader checks the first bytes of a file of the given size.
func readHeader(b []byte, fileSize int64) (h header, err error) {
	if len(b) < len(Magic) || string(b[:len(Magic)]) != Magic {
		return h, ErrNotWIM
	}
	if len(b) < headerSize || binary.LittleEndian.Uint32(b[8:]) != headerSize {
		return h, fmt.Errorf("%w: its header is not whole", ErrTruncated)
	}
	le := binary.LittleEndian
	flags := le.Uint32(b[16:])
	switch {
	case flags&flagSpanned != 0 || le.Uint16(b[42:]) > 1:
		return h, ErrSplit
	case flags&flagWriting != 0:
		return h, fmt.Errorf("%w: whoever wrote it did not finish", ErrTruncated)
	}
	h.images, h.bootIndex = le.Uint32(b[44:]), le.Uint32(b[120:])
	for _, at := range []int{48, atXML, 96, 124} {
		r := resource{stored: int64(le.Uint64(b[at:]) & resourceMask), offset: int64(le.Uint64(b[at+8:])), size: int64(le.Uint64(b[at+16:]))}
		if r.offset < 0 || r.size < 0 || r.offset > 1<<62 {
			return h, ErrDamaged
		}
		if end := r.offset + r.stored; end > fileSize {
			return h, fmt.Errorf("%w: %d bytes of %d are there", ErrTruncated, fileSize, end)
		}
		if at == atXML {
			h.xml = r
		}
	}
	if h.xml.stored != h.xml.size || h.xml.size < 2 || h.xml.size > maxXML || h.images == 0 || h.images > 10000 {
		return h, ErrDamaged
	}
	return h, nil
}

// Read reads an image's description.
func Read(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	return read(f, info.Size())
}

// ReadFrom reads the description of an image of that many bytes.
func ReadFrom(r io.ReaderAt, size int64) (Info, error) { return read(r, size) }

func read(r io.ReaderAt, size int64) (Info, error) {
	h, xml, err := readParts(r, size)
	if err != nil {
		return Info{}, err
	}
	out, err := format.Parse(xml, int(h.images))
	out.Boot = int(h.bootIndex)
	return out, err
}

// readParts returns the header and the description as it stands in the file.
func readParts(r io.ReaderAt, size int64) (header, []byte, error) {
	b := make([]byte, headerSize)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, nil, err
	}
	h, err := readHeader(b[:n], size)
	if err != nil {
		return h, nil, err
	}
	xml := make([]byte, h.xml.size)
	if _, err := r.ReadAt(xml, h.xml.offset); err != nil {
		return h, nil, fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	if !bytes.HasPrefix(xml, []byte{0xff, 0xfe}) {
		// The header of an encrypted image is in the clear, its description is not.
		return h, nil, ErrEncrypted
	}
	return h, xml, nil
}
