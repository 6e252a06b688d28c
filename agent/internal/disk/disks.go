package disk

import (
	"context"
	"errors"
	"io"
)

// TargetRoot is where Mount puts the target's root file system; the EFI system
// partition is below it at boot/efi.
const TargetRoot = "/target"

// Errors that callers decide on.
var (
	ErrNotFound = errors.New("there is no such disk")
	ErrInUse    = errors.New("the disk is in use")
	ErrNoTable  = errors.New("the disk holds no partition table")
	ErrNoTools  = errors.New("the tools for file systems are missing: the boot image's tool pack was not loaded")
)

// Progress is told how far something is; percent is -1 where that is not known.
type Progress func(percent int, text string)

// Disks is how executors reach the disks of the machine. Disks are named by their
// stable ids (Disk.ID).
type Disks interface {
	// List returns the disks in a stable order: that of their names, numbers by
	// value, NVMe first.
	List(ctx context.Context) ([]Disk, error)

	// Prepare makes a disk as the planned layout says: what is mounted below
	// TargetRoot is unmounted, old signatures are wiped, the table is written and
	// made known to the kernel, file systems are made, and all is read back. All
	// that was on the disk is lost. The layout must carry ids (Layout.Identify).
	// It returns the layout as it was found afterwards.
	Prepare(ctx context.Context, l Layout, progress Progress) (Layout, error)

	// Holds reports whether the disk holds exactly this layout, ids included: an
	// earlier, interrupted Prepare of the same layout came to its end.
	Holds(ctx context.Context, l Layout) (bool, error)

	// Reread reads table and file systems anew and makes the partitions known to
	// the kernel, as after a raw image was written. The roles follow from types and
	// content; Firmware stays empty. ErrNoTable when there is none.
	Reread(ctx context.Context, id string) (Layout, error)

	// Grow fits a table that came with a raw image to the disk: the backup GPT
	// moves to the disk's end and, with last, the last partition grows as far as it
	// can. File systems are left as they are. It ends with Reread.
	Grow(ctx context.Context, id string, last bool) (Layout, error)

	// Tables reads the partition tables of all disks that hold one, also of those in
	// use. File systems are not looked at.
	Tables(ctx context.Context) ([]Layout, error)

	// Open opens a disk for raw reading and writing, for nobody else at the same
	// time: ErrInUse when anything of it is mounted or opened so.
	Open(ctx context.Context, id string, o OpenOptions) (Target, error)

	// OpenPartition opens one partition as Open does a disk.
	OpenPartition(ctx context.Context, l Layout, number int, o OpenOptions) (Target, error)

	// Device returns the path of a partition's device, for tools (resize2fs,
	// e2fsck). The kernel knows the partition after Prepare, Reread and Grow.
	Device(ctx context.Context, l Layout, number int) (string, error)

	// Mount mounts the layout's root at TargetRoot and its EFI system partition
	// below it. What is mounted so already stays; another layout's mounts go first.
	// Of a layout for Windows Linux mounts the EFI system partition alone, at
	// TargetRoot: NTFS is mounted while it is worked on (MountPartition).
	Mount(ctx context.Context, l Layout) (root string, err error)

	// Renew makes the file system of one partition anew, as Prepare did. All that was
	// on it is lost.
	Renew(ctx context.Context, l Layout, number int) error

	// MountPartition mounts one partition for its caller. unmount undoes that; all is
	// on the disk then.
	MountPartition(ctx context.Context, l Layout, number int) (root string, unmount func() error, err error)

	// Unmount unmounts all that is below TargetRoot, and writes it to the disk.
	Unmount(ctx context.Context) error

	// Wipe makes what was on the disk unreadable and proves it by reading back.
	// See WipeMethod and WipeReport.
	Wipe(ctx context.Context, id string, method WipeMethod, progress Progress) (WipeReport, error)
}

// OpenOptions say how a disk is opened. Direct bypasses the page cache: buffers,
// offsets and lengths must then be multiples of the sector size.
type OpenOptions struct {
	Direct   bool
	ReadOnly bool
}

// Target is an opened disk or partition.
type Target interface {
	io.ReaderAt
	io.WriterAt
	Size() int64     // bytes
	SectorSize() int // logical, bytes
	// Zero makes a range read as zeros, by the device's own command where it has
	// one. Both are multiples of the sector size.
	Zero(offset, length int64) error
	// Discard tells the device that a range is unused; what it reads afterwards is
	// not defined. A device that cannot do it is no error.
	Discard(offset, length int64) error
	Sync() error // what was written is on the medium afterwards
	Close() error
}
