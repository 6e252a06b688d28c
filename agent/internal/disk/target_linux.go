package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// device is an opened disk or partition.
type device struct {
	*os.File
	size   int64
	sector int
}

func (t device) Size() int64     { return t.size }
func (t device) SectorSize() int { return t.sector }

// zeroChunk bounds one command to the device, so that a stop is heard in between.
const zeroChunk = 1 << 30

// Zero implements Target.
func (t device) Zero(offset, length int64) error {
	for length > 0 {
		n := min(length, zeroChunk)
		if err := ioctlRange(t.File, unix.BLKZEROOUT, offset, n); err != nil {
			return fmt.Errorf("write zeros: %w", err)
		}
		offset, length = offset+n, length-n
	}
	return nil
}

// Discard implements Target.
func (t device) Discard(offset, length int64) error {
	err := ioctlRange(t.File, unix.BLKDISCARD, offset, length)
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("discard: %w", err)
	}
	return nil
}

// Open implements Disks.
func (m *Linux) Open(_ context.Context, id string, o OpenOptions) (Target, error) {
	d, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if d.InUse != "" {
		return nil, fmt.Errorf("%s: %w: %s", d, ErrInUse, d.InUse)
	}
	if d.Boot && !o.ReadOnly {
		_, err := refuse(d, Rule{})
		return nil, err
	}
	return openTarget(d.Path, d.Size, d.SectorSize, o)
}

// OpenPartition implements Disks.
func (m *Linux) OpenPartition(ctx context.Context, l Layout, number int, o OpenOptions) (Target, error) {
	path, err := m.Device(ctx, l, number)
	if err != nil {
		return nil, err
	}
	p, _ := l.Partition(number)
	return openTarget(path, p.Size, l.SectorSize, o)
}

func openTarget(path string, size int64, sector int, o OpenOptions) (Target, error) {
	flags := os.O_RDWR
	if o.ReadOnly {
		flags = os.O_RDONLY
	}
	if o.Direct {
		flags |= unix.O_DIRECT
	}
	f, err := openDevice(path, flags|unix.O_EXCL)
	if err != nil {
		return nil, err
	}
	return device{f, size, sector}, nil
}

// Device implements Disks.
func (m *Linux) Device(ctx context.Context, l Layout, number int) (string, error) {
	d, err := m.find(l.Disk)
	if err != nil {
		return "", err
	}
	if _, ok := l.Partition(number); !ok {
		return "", fmt.Errorf("there is no partition %d on %s", number, d)
	}
	if err := isOn(l, d); err != nil {
		return "", err
	}
	path := partitionPath(d, number)
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		return path, nil
	}
	f, err := openDevice(d.Path, os.O_RDWR)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return path, m.tellKernel(ctx, f, d, l.Partitions)
}

// isOn makes sure that the disk holds the layout's table. An id is no proof: disks that share
// a serial number, or have none, are told apart by names and places, which may change with a
// restart.
func isOn(l Layout, d Disk) error {
	if l.TableID == "" {
		return nil
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return fmt.Errorf("open the disk: %w", err)
	}
	defer f.Close()
	found, err := ReadTable(f, d.Size, d.SectorSize)
	if err == nil && !strings.EqualFold(found.TableID, l.TableID) {
		err = fmt.Errorf("its partition table is %s, and that of the target disk is %s", found.TableID, l.TableID)
	}
	if err != nil {
		return fmt.Errorf("%w: %s is not the disk that was made the target, or was partitioned otherwise since: %w", ErrRefused, d, err)
	}
	return nil
}
