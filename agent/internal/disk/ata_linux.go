package disk

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sgIO is the request SG_IO, and the rest what scsi/sg.h says of it.
const (
	sgIO             = 0x2285
	sgFromDevice     = -3
	sgCheckCondition = 2
)

// sgHeader is struct sg_io_hdr.
type sgHeader struct {
	interfaceID    int32
	direction      int32
	commandLength  uint8
	senseLength    uint8
	_              uint16
	length         uint32
	data           uintptr
	command        uintptr
	sense          uintptr
	milliseconds   uint32
	flags          uint32
	_              int32
	_              uintptr
	status         uint8
	_              [3]uint8
	host, driver   uint16
	residual, took int32
	_              uint32
}

// askATA asks an ATA disk, also one behind a SCSI or USB translation, what it is.
func askATA(f *os.File) (ataSecurity, error) {
	memory, free, err := pages(4096) // that the garbage collector never moves
	if err != nil {
		return ataSecurity{}, err
	}
	defer free()
	command, sense, data := memory[:16], memory[64:128], memory[512:1024]
	copy(command, ataIdentifyCommand())
	h := sgHeader{interfaceID: 'S', direction: sgFromDevice, commandLength: 16, senseLength: uint8(len(sense)), length: uint32(len(data)),
		data: uintptr(unsafe.Pointer(&data[0])), command: uintptr(unsafe.Pointer(&command[0])), sense: uintptr(unsafe.Pointer(&sense[0])), milliseconds: 20_000}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), sgIO, uintptr(unsafe.Pointer(&h))); errno != 0 {
		return ataSecurity{}, fmt.Errorf("ask the disk what it is: %w", errno)
	}
	// Some translations report a good command by a check condition with the registers.
	if h.host != 0 || h.status != 0 && h.status != sgCheckCondition || h.residual > 0 {
		return ataSecurity{}, fmt.Errorf("ask the disk what it is: SCSI status %d, host %d, %d bytes missing", h.status, h.host, h.residual)
	}
	return parseATA(data)
}
