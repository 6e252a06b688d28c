package disk

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// swapPage is the page size of every machine this product knows; the kernel refuses
// swap of another.
const swapPage = 4096

// writeSwap makes a swap area (linux/swap.h, union swap_header, version 1).
func writeSwap(w io.WriterAt, size int64, label, id string) error {
	u, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("id of the swap area: %w", err)
	}
	if size < 10*swapPage {
		return fmt.Errorf("%d bytes are too few for swap", size)
	}
	b := make([]byte, swapPage)
	binary.LittleEndian.PutUint32(b[1024:], 1)                                            // version
	binary.LittleEndian.PutUint32(b[1028:], uint32(min(size/swapPage-1, int64(1)<<32-1))) // last page
	copy(b[1036:1052], u[:])
	copy(b[1052:1068], label)
	copy(b[swapPage-10:], "SWAPSPACE2")
	_, err = w.WriteAt(b, 0)
	return err
}
