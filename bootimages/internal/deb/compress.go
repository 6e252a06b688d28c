package deb

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// maxDictionary bounds the memory a compressed member may ask for; dpkg-deb's
// strongest xz preset uses 64 MiB.
const maxDictionary = 128 << 20

// decompress opens the archive in a member by the suffix of the member's name,
// as deb(5) defines it.
func decompress(r io.Reader, member string) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 256<<10)
	r = in
	switch ext := path.Ext(member); ext {
	case ".tar":
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(r)
	case ".bz2":
		return io.NopCloser(bzip2.NewReader(r)), nil
	case ".xz":
		head, _ := in.Peek(xzEdge + xzBlockHead)
		if err := checkDictionary(head[min(xzEdge, len(head)):]); err != nil {
			return nil, err
		}
		c := xz.ReaderConfig{DictCap: 1 << 16}
		whole := &xzWhole{r: in}
		x, err := c.NewReader(whole)
		if err != nil {
			return nil, noEOF(err)
		}
		whole.x = x
		return io.NopCloser(readerFunc(whole.decoded)), nil
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDictionary))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	default:
		return nil, fmt.Errorf("member %s: unknown compression", member)
	}
}

// xzWhole notices an xz stream that ends where a block should begin, which the
// decoder takes for a good end: every stream's last bytes are its footer's "YZ",
// or zeros that pad it (.xz file format 1.2.0, 2.1.2.4 and 2.2).
type xzWhole struct {
	r    io.Reader
	x    io.Reader
	tail [2]byte // the last two bytes read that are not zero
}

func (w *xzWhole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	for _, b := range p[:n] {
		if b != 0 {
			w.tail[0], w.tail[1] = w.tail[1], b
		}
	}
	return n, err
}

func (w *xzWhole) decoded(p []byte) (int, error) {
	n, err := w.x.Read(p)
	if err == io.EOF && string(w.tail[:]) != "YZ" {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// xzBlockHead is how much of a block's header checkDictionary looks at: sizes and
// filter flags of the one filter that Debian's packages use.
const xzBlockHead = 32

// checkDictionary refuses an xz block that wants a dictionary of up to 4 GiB: the
// decoder would allocate it before the first byte comes out. A header that is not
// understood here is left to the decoder.
func checkDictionary(head []byte) error {
	if len(head) < 2 || head[0] == 0 {
		return nil
	}
	rest := head[2:]
	for _, flag := range []byte{0x40, 0x80} { // compressed size, uncompressed size
		if head[1]&flag != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return nil
			}
			rest = rest[n:]
		}
	}
	const lzma2 = 0x21
	if len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 {
		return nil
	}
	if size, err := lzma.DecodeDictCap(rest[2]); err == nil && size > maxDictionary {
		return fmt.Errorf("xz dictionary of %d MiB is larger than any package needs", size>>20)
	}
	return nil
}
