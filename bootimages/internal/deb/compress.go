package deb

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"

	"slipway/images/xz"
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
		x, err := xz.NewReader(in, maxDictionary)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
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
