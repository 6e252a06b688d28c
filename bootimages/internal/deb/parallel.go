package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"slipway/images/xz"
)

// Sizes of the .xz file format, version 1.2.0.
const (
	xzEdge     = xz.Edge   // stream header, stream footer
	minXZIndex = 8         // bytes: indicator, count, padding, CRC-32
	maxXZIndex = 1 << 20   // bytes of index that are looked at
	maxXZBlock = 128 << 20 // uncompressed bytes of one block that are held in memory
)

// errSerial means that an xz stream has to be read from start to end.
var errSerial = errors.New("not an xz stream of several blocks")

// xzBlock is one block: where its bytes are, and its record of the index.
type xzBlock struct{ offset, unpadded, size int64 }

func (b xzBlock) padded() int64 { return (b.unpadded + 3) &^ 3 }

// parallelXZ decompresses the independent blocks that xz's threaded mode writes,
// which dpkg-deb uses for large packages, on all processors. Every block is
// checked as in serial reading.
func parallelXZ(r io.ReaderAt, size int64) (io.ReadCloser, error) {
	head, blocks, err := xzIndex(r, size)
	if err != nil {
		return nil, err
	}
	workers := min(runtime.GOMAXPROCS(0), len(blocks))
	p := &parallelReader{stop: make(chan struct{}), results: make(chan chan xzResult, workers)}
	turns := make(chan struct{}, workers)
	p.wg.Go(func() {
		defer close(p.results)
		for _, b := range blocks {
			result := make(chan xzResult, 1)
			select {
			case turns <- struct{}{}:
			case <-p.stop:
				return
			}
			select {
			case p.results <- result:
			case <-p.stop:
				return
			}
			p.wg.Go(func() {
				content, err := readBlock(r, head, b)
				result <- xzResult{content, err}
				<-turns
			})
		}
	})
	return p, nil
}

type xzResult struct {
	content []byte
	err     error
}

// parallelReader hands out the blocks in order.
type parallelReader struct {
	results chan chan xzResult
	stop    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	current []byte
	err     error
}

func (p *parallelReader) Read(b []byte) (int, error) {
	for len(p.current) == 0 && p.err == nil {
		next, ok := <-p.results
		if !ok {
			p.err = io.EOF
			break
		}
		r := <-next
		p.current, p.err = r.content, r.err
	}
	if len(p.current) == 0 {
		return 0, p.err
	}
	n := copy(b, p.current)
	p.current = p.current[n:]
	return n, nil
}

// Close ends the workers and waits for them.
func (p *parallelReader) Close() error {
	p.once.Do(func() { close(p.stop) })
	p.wg.Wait()
	return nil
}

// readBlock decompresses one block as a stream of its own: the same header, the
// block, an index of one record and a footer.
func readBlock(r io.ReaderAt, head []byte, b xzBlock) ([]byte, error) {
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(b.unpadded))
	index = binary.AppendUvarint(index, uint64(b.size))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	tail := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	tail = append(tail, head[6:8]...)
	foot := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(tail))
	foot = append(append(foot, tail...), 'Y', 'Z')
	stream := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(r, b.offset, b.padded()), bytes.NewReader(append(index, foot...)))
	z, err := xz.NewReader(stream, maxDictionary)
	if err != nil {
		return nil, err
	}
	content := make([]byte, b.size)
	if _, err := io.ReadFull(z, content); err == io.EOF {
		return nil, io.ErrUnexpectedEOF // it would pass for the good end
	} else if err != nil {
		return nil, err
	}
	// The end of the stream is where the block's check value is compared.
	if n, err := z.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, errors.Join(errors.New("xz block is longer than its index says"), err)
	}
	return content, nil
}

// xzIndex reads the index at the end of a stream. Anything unusual is errSerial:
// the serial reader then says what is wrong with it.
func xzIndex(r io.ReaderAt, size int64) (head []byte, blocks []xzBlock, err error) {
	head, foot := make([]byte, xzEdge), make([]byte, xzEdge)
	if size < 2*xzEdge || !readAt(r, head, 0) || !readAt(r, foot, size-xzEdge) || string(head[:6]) != "\xfd7zXZ\x00" || string(foot[10:]) != "YZ" || !bytes.Equal(head[6:8], foot[8:10]) {
		return nil, nil, errSerial
	}
	length := (int64(binary.LittleEndian.Uint32(foot[4:8])) + 1) * 4
	start := size - xzEdge - length
	if length < minXZIndex || length > maxXZIndex || start < xzEdge {
		return nil, nil, errSerial
	}
	raw := make([]byte, length)
	if !readAt(r, raw, start) || raw[0] != 0 || crc32.ChecksumIEEE(raw[:length-4]) != binary.LittleEndian.Uint32(raw[length-4:]) {
		return nil, nil, errSerial
	}
	blocks, end := xzRecords(raw[1 : length-4])
	if len(blocks) < 2 || end != start {
		return nil, nil, errSerial
	}
	return head, blocks, nil
}

// xzRecords parses the records and returns where the last block ends.
func xzRecords(raw []byte) (blocks []xzBlock, end int64) {
	next := func() (v uint64, ok bool) {
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return 0, false
		}
		raw = raw[n:]
		return v, true
	}
	count, ok := next()
	if !ok || count > maxXZIndex {
		return nil, 0
	}
	end = xzEdge
	for range count {
		unpadded, ok1 := next()
		size, ok2 := next()
		if !ok1 || !ok2 || unpadded == 0 || unpadded > 1<<40 || size > maxXZBlock {
			return nil, 0
		}
		b := xzBlock{end, int64(unpadded), int64(size)}
		blocks = append(blocks, b)
		end += b.padded()
	}
	return blocks, end
}

func readAt(r io.ReaderAt, p []byte, at int64) bool {
	n, err := r.ReadAt(p, at)
	return n == len(p) && (err == nil || err == io.EOF)
}
