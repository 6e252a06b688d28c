package netboot

import (
	"bufio"
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
	tftpHeader     = 4
)

// tftpWindow cuts a file into windows of blocks and knows which of them the
// client has. It sends nothing itself. Blocks count from 1 without an end; on the
// wire they count modulo 65,536, so that block 65,536 is 0.
type tftpWindow struct {
	content *bufio.Reader
	blksize int
	window  int
	blocks  int64 // of the whole file; the last one is shorter than blksize, and may be empty

	base  int64  // first block that the client has not acknowledged
	held  int    // packets in buf, from base on
	buf   []byte // DATA packets one behind the other; all but the file's last are equally long
	asked bool   // the first block of this window was asked for again already
}

func newTFTPWindow(content io.Reader, size int64, blksize, window int) *tftpWindow {
	window = max(window, 1)
	return &tftpWindow{
		content: bufio.NewReaderSize(content, 64<<10), blksize: blksize, window: window, blocks: size/int64(blksize) + 1,
		base: 1, buf: make([]byte, 0, (tftpHeader+blksize)*window),
	}
}

// done reports whether the client has everything.
func (w *tftpWindow) done() bool { return w.base > w.blocks }

// packet is the length of every packet but the last of the file.
func (w *tftpWindow) packet() int { return tftpHeader + w.blksize }

// next returns the packets of the window, one behind the other. They are good until
// the next call.
func (w *tftpWindow) next() ([]byte, error) {
	for w.held < w.window && w.base+int64(w.held) <= w.blocks {
		number := w.base + int64(w.held)
		at := len(w.buf)
		p := w.buf[at : at+w.packet()]
		n, err := io.ReadFull(w.content, p[tftpHeader:])
		last := number == w.blocks
		if short := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !(short && last) || err == nil && last {
			return nil, fmt.Errorf("read block %d: %w", number, errors.Join(err, errChanged))
		}
		binary.BigEndian.PutUint16(p, tftpData)
		binary.BigEndian.PutUint16(p[2:], uint16(number))
		w.buf = w.buf[:at+tftpHeader+n]
		w.held++
	}
	return w.buf, nil
}

var errChanged = errors.New("the file is not as long as it was")

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
	rest := copy(w.buf, w.buf[min(ahead*w.packet(), len(w.buf)):])
	w.buf = w.buf[:rest]
	w.base += int64(ahead)
	w.held -= ahead
	w.asked = false
	return true
}
