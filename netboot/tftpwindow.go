package netboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The bounds of windowed transfers (RFC 7440).
const (
	// maxWindow is the largest window that is agreed to, in blocks. Firmware asks
	// for 4 (EDK2, shim), WDS-like loaders for up to 64.
	maxWindow = 64
	// maxWindowBytes bounds what one transfer holds in memory.
	maxWindowBytes = 256 << 10
)

// tftpWindow cuts a file into windows of blocks and knows which of them the
// client has. It sends nothing itself. Blocks count from 1 without an end; on the
// wire they count modulo 65,536, so that block 65,536 is 0.
type tftpWindow struct {
	content io.Reader
	blksize int
	window  int
	blocks  int64 // of the whole file; the last one is shorter than blksize, and may be empty

	base   int64  // first block that the client has not acknowledged
	held   int    // blocks in buf, from base on
	buf    []byte // content of the held blocks
	heads  []byte // their TFTP headers
	asked  bool   // the first block of this window was asked for again already
	packet [][2][]byte
}

func newTFTPWindow(content io.Reader, size int64, blksize, window int) *tftpWindow {
	window = max(window, 1)
	w := &tftpWindow{content: content, blksize: blksize, window: window, blocks: size/int64(blksize) + 1, base: 1}
	w.buf = make([]byte, 0, blksize*window)
	w.heads = make([]byte, 4*window)
	w.packet = make([][2][]byte, 0, window)
	return w
}

// done reports whether the client has everything.
func (w *tftpWindow) done() bool { return w.base > w.blocks }

// next returns the packets of the window, header and content apart. They are good
// until the next call.
func (w *tftpWindow) next() ([][2][]byte, error) {
	want := int(min(int64(w.window), w.blocks-w.base+1))
	if w.held < want {
		have := len(w.buf)
		full := min(want*w.blksize, cap(w.buf))
		n, err := io.ReadFull(w.content, w.buf[have:full])
		w.buf = w.buf[:have+n]
		switch {
		case err == nil:
		case (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && w.base+int64(want) > w.blocks && len(w.buf) >= (want-1)*w.blksize:
			// the last block
		default:
			return nil, fmt.Errorf("read block %d: %w", w.base+int64(have/w.blksize), errors.Join(err, errShort))
		}
		w.held = want
	}
	w.packet = w.packet[:0]
	for i := range w.held {
		head := w.heads[4*i : 4*i+4]
		binary.BigEndian.PutUint16(head, tftpData)
		binary.BigEndian.PutUint16(head[2:], uint16(w.base+int64(i)))
		w.packet = append(w.packet, [2][]byte{head, w.buf[min(i*w.blksize, len(w.buf)):min((i+1)*w.blksize, len(w.buf))]})
	}
	return w.packet, nil
}

var errShort = errors.New("the file is shorter than it was")

// acknowledge takes the number of an acknowledgement. again says that there is
// something to send: the next window, or the rest of this one from where the client
// lost a block. An acknowledgement of what came before the window is answered once
// only: answering each would double all packets for ever (RFC 1123, 4.2.3.1).
func (w *tftpWindow) acknowledge(number uint16) (again bool) {
	ahead := int(uint16(int64(number) - (w.base - 1)))
	switch {
	case ahead == 0:
		again, w.asked = !w.asked, true
		return again
	case ahead > w.held:
		return false // older, or nonsense
	}
	rest := copy(w.buf, w.buf[min(ahead*w.blksize, len(w.buf)):])
	w.buf = w.buf[:rest]
	w.base += int64(ahead)
	w.held -= ahead
	w.asked = false
	return true
}
