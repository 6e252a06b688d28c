package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of BLKPG (linux/blkpg.h).
const (
	blkpgAdd    = 1
	blkpgDelete = 2
)

type blkpgPartition struct {
	start, length int64
	number        int32
	_             [128 + 4]byte // two names that the kernel does not read, and padding
}

type blkpgArg struct {
	op, flags, length int32
	_                 int32
	data              *blkpgPartition
}

func blkpg(f *os.File, op int32, p Partition) error {
	part := blkpgPartition{start: p.Start, length: p.Size, number: int32(p.Number)}
	arg := blkpgArg{op: op, length: int32(unsafe.Sizeof(part)), data: &part}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// tellKernel makes exactly these partitions known to the kernel, one by one (BLKPG):
// unlike BLKRRPART that needs no knowledge of the table's kind, leaves what is right
// already, and is done when it returns.
func (m *Linux) tellKernel(ctx context.Context, f *os.File, d Disk, list []Partition) error {
	known := map[int]Partition{}
	for _, name := range partitionNames(m.fs(), d.Name) {
		at := "sys/block/" + d.Name + "/" + name
		number := func(file string) int64 { n, _ := strconv.ParseInt(text(m.fs(), at+"/"+file), 10, 64); return n }
		p := Partition{Number: int(number("partition")), Start: number("start") * 512, Size: number("size") * 512}
		known[p.Number] = p
	}
	wanted := map[int]Partition{}
	for _, p := range list {
		wanted[p.Number] = Partition{Number: p.Number, Start: p.Start, Size: p.Size}
	}
	for number, p := range known {
		if same(wanted[number], p) {
			continue
		}
		if err := blkpg(f, blkpgDelete, p); errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("partition %d: %w", number, ErrInUse)
		} else if err != nil && !errors.Is(err, unix.ENXIO) {
			return fmt.Errorf("take partition %d from the kernel: %w", number, err)
		}
		delete(known, number)
	}
	for _, p := range list {
		if _, ok := known[p.Number]; !ok {
			if err := blkpg(f, blkpgAdd, p); err != nil {
				return fmt.Errorf("make partition %d known to the kernel: %w", p.Number, err)
			}
		}
		if err := waitNode(ctx, partitionPath(d, p.Number)); err != nil {
			return err
		}
	}
	return nil
}

func same(a, b Partition) bool { return a.Number == b.Number && a.Start == b.Start && a.Size == b.Size }

// exclusive opens a whole disk so that nobody else has it open so.
func exclusive(d Disk, flags int) (*os.File, error) {
	return openDevice(d.Path, flags|os.O_RDWR|unix.O_EXCL)
}

func openDevice(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("open the disk: %w", err)
	}
	return f, nil
}

func ioctlRange(f *os.File, request uintptr, offset, length int64) error {
	r := [2]uint64{uint64(offset), uint64(length)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	return nil
}

// forget drops what the kernel keeps of a device in memory, so that the next read
// comes from the disk.
func forget(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the disk's cache: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKFLSBUF, 0); errno != 0 {
		return fmt.Errorf("drop the disk's cache: %w", errno)
	}
	return nil
}
