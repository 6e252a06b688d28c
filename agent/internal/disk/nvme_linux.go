package disk

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of linux/nvme_ioctl.h.
const (
	nvmeIoctlID    = 0x4e40
	nvmeIoctlAdmin = 0xc0484e41
)

// nvmePassthru is struct nvme_passthru_cmd.
type nvmePassthru struct {
	opcode, flags             uint8
	_                         uint16
	namespace                 uint32
	_, _                      uint32
	metadata, addr            uint64
	metadataLength, length    uint32
	cdw10, cdw11, cdw12       uint32
	cdw13, cdw14, cdw15       uint32
	milliseconds, commandZero uint32
}

// nvmeFile is an nvmeDevice by a namespace's block device.
type nvmeFile struct{ *os.File }

// Namespace implements nvmeDevice.
func (f nvmeFile) Namespace() (uint32, error) {
	id, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nvmeIoctlID, 0)
	if errno != 0 {
		return 0, errno
	}
	return uint32(id), nil
}

// Admin implements nvmeDevice.
func (f nvmeFile) Admin(c nvmeCommand, data []byte) error {
	p := nvmePassthru{opcode: c.opcode, namespace: c.namespace, cdw10: c.cdw10, milliseconds: uint32(c.timeout.Milliseconds())}
	if len(data) > 0 {
		memory, free, err := pages(len(data)) // that the garbage collector never moves
		if err != nil {
			return err
		}
		defer free()
		defer copy(data, memory)
		p.addr, p.length = uint64(uintptr(unsafe.Pointer(&memory[0]))), uint32(len(data))
	}
	status, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nvmeIoctlAdmin, uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return fmt.Errorf("NVMe command 0x%02x: %w", c.opcode, errno)
	}
	if status != 0 {
		return nvmeStatus(status)
	}
	return nil
}
