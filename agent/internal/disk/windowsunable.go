package disk

import (
	"context"
	"errors"
)

// errNotOnWindows says that an operation is the Linux boot image's.
var errNotOnWindows = errors.New("this is not done from Windows: use the Linux boot image for it")

// Unmount implements Disks: Windows writes what is not on the disk before a restart.
func (m *Windows) Unmount(context.Context) error { return nil }

// Reread implements Disks.
func (m *Windows) Reread(context.Context, string) (Layout, error) { return Layout{}, errNotOnWindows }

// Tables implements Disks.
func (m *Windows) Tables(context.Context) ([]Layout, error) { return nil, errNotOnWindows }

// Grow implements Disks.
func (m *Windows) Grow(context.Context, string, bool) (Layout, error) {
	return Layout{}, errNotOnWindows
}

// Renew implements Disks.
func (m *Windows) Renew(context.Context, Layout, int) error { return errNotOnWindows }

// MountPartition implements Disks.
func (m *Windows) MountPartition(context.Context, Layout, int) (string, func() error, error) {
	return "", nil, errNotOnWindows
}

// Open implements Disks.
func (m *Windows) Open(context.Context, string, OpenOptions) (Target, error) {
	return nil, errNotOnWindows
}

// OpenPartition implements Disks.
func (m *Windows) OpenPartition(context.Context, Layout, int, OpenOptions) (Target, error) {
	return nil, errNotOnWindows
}

// Wipe implements Disks.
func (m *Windows) Wipe(context.Context, string, WipeMethod, Progress) (WipeReport, error) {
	return WipeReport{}, errNotOnWindows
}
