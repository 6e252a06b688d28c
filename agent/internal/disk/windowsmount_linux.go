package disk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NTFSMount is the program that mounts NTFS (ntfs-3g, by FUSE). The kernel's own driver
// is younger, and not in every image.
const NTFSMount = "ntfs-3g"

// partitionPoint is where MountPartition mounts: beside the target's root.
func (m *Linux) partitionPoint(number int) string { return fmt.Sprintf("%s-%d", m.target(), number) }

// Renew implements Disks.
func (m *Linux) Renew(ctx context.Context, l Layout, number int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := l.Partition(number)
	if !ok {
		return fmt.Errorf("the target disk has no partition %d", number)
	}
	if err := haveTool(p.FS); err != nil {
		return err // before anything is lost
	}
	path, err := m.Device(ctx, l, number)
	if err != nil {
		return err
	}
	for _, point := range []string{m.partitionPoint(number), m.target()} {
		if m.mountedAt(point) == deviceNumber(path) { // of a step that was interrupted
			if err := m.unmountPartition(path, point); err != nil {
				return err
			}
		}
	}
	f, err := openDevice(path, os.O_RDWR|unix.O_EXCL)
	if err != nil {
		return err
	}
	t := device{f, p.Size, l.SectorSize}
	err = errors.Join(wipeSignatures(t, Partition{Size: p.Size}), f.Close())
	if err == nil {
		err = m.makeFS(ctx, p, path)
	}
	if err != nil {
		return fmt.Errorf("make the file system of partition %d (%s) anew: %w", number, p.Role, err)
	}
	return nil
}

// MountPartition implements Disks.
func (m *Linux) MountPartition(ctx context.Context, l Layout, number int) (string, func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := l.Partition(number)
	if !ok {
		return "", nil, fmt.Errorf("the target disk has no partition %d", number)
	}
	path, err := m.Device(ctx, l, number)
	if err != nil {
		return "", nil, err
	}
	point := m.partitionPoint(number)
	undo := func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.unmountPartition(path, point)
	}
	if m.mountedAt(point) != "" { // of a step that was interrupted
		if err := m.unmountPartition(path, point); err != nil {
			return "", nil, err
		}
	}
	if p.FS != FSNTFS {
		if err := mount(path, point, p.FS); err != nil {
			return "", nil, err
		}
		return point, undo, nil
	}
	tool, err := findTool(NTFSMount)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(point, 0o700); err != nil {
		return "", nil, err
	}
	// windows_names: no file gets a name that Windows cannot have.
	output, err := m.Run(ctx, tool, "-o", "windows_names,noatime", path, point)
	if err == nil && m.mountedAt(point) == "" {
		err = errors.New("it ended without mounting anything")
	}
	if err != nil {
		return "", nil, fmt.Errorf("mount the NTFS of partition %d: %w: %s", number, err, lastLine(output))
	}
	return point, undo, nil
}

// unmountPartition unmounts what is at point. The kernel waits until ntfs-3g has
// written all it knows; then the disk's own cache is emptied.
func (m *Linux) unmountPartition(path, point string) error {
	if err := unix.Unmount(point, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", point, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s to the disk: %w", path, err)
	}
	return nil
}
