package imaging

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"slipway/images/xz"
)

// The forms of compression, told apart by their first bytes.
const (
	Plain = "plain"
	Gzip  = "gzip"
	XZ    = "xz"
	Zstd  = "zstd"
	Zip   = "zip" // its first file; makers of disk images wrap them so
)

// maxWindow bounds what a compressed stream may make the agent remember. It takes
// zstd up to -22 without --long or --ultra windows; xz -9 uses 64 MiB.
const maxWindow = 64 << 20

// Stream is an unpacked stream.
type Stream struct {
	Form string // of compression
	Size int64  // unpacked, where the header tells; else -1. Of zstd that of the first frame: there may be more
	in   *counter
	r    io.Reader
	end  func()
}

// Unpack tells a stream's compression by its first bytes and unpacks it.
func Unpack(r io.Reader) (*Stream, error) {
	in := &counter{r: r}
	b := bufio.NewReaderSize(in, 1<<20)
	head, err := b.Peek(32)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the beginning: %w", err)
	}
	s := &Stream{Form: formOf(head), Size: -1, in: in, r: b, end: func() {}}
	switch s.Form {
	case Zstd:
		var h zstd.Header
		if h.Decode(head) == nil && h.HasFCS {
			s.Size = int64(min(h.FrameContentSize, 1<<62))
		}
		d, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("unpack zstd: %w", err)
		}
		s.r, s.end = d, d.Close
	case Gzip:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		s.r = z
	case Zip:
		if s.r, s.Size, err = unzip(b); err != nil {
			return nil, err
		}
	case XZ:
		z, err := xz.NewReader(b, maxWindow)
		if err != nil {
			return nil, fmt.Errorf("unpack xz: %w", err)
		}
		s.r = z
	}
	return s, nil
}

func formOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	case len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // a skippable frame
		return Zstd
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return Gzip
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return XZ
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return Zip
	}
	return Plain
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.Form != Plain {
		err = fmt.Errorf("unpack %s: %w", s.Form, err)
	}
	return n, err
}

// In is how many bytes were taken from the packed stream.
func (s *Stream) In() int64 { return s.in.n.Load() }

// Close frees what the unpacking holds. The packed stream stays open.
func (s *Stream) Close() { s.end() }

type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
