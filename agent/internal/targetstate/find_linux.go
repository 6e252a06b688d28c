package targetstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount mounts the file system of a device, of the kind fs, read-only at a folder, and
// returns what undoes that.
type Mount func(device, fs, at string) (unmount func() error, err error)

// Finder looks for the state that an unfinished deployment left on a disk.
type Finder struct {
	Devices []string // paths of partitions and disks, in order
	At      string   // folder to mount at
	Mount   Mount
	Log     *slog.Logger
}

// Find copies the first state it finds into the folder into, the agent's state in
// memory, and returns its deployment. It returns "" when there is none. Failures of
// single devices are logged: a broken disk must not keep a machine from being
// deployed.
func (f Finder) Find(ctx context.Context, into string) string {
	for _, device := range f.Devices {
		if ctx.Err() != nil {
			return ""
		}
		id, err := f.look(device, into)
		if err != nil {
			f.Log.Warn("looking for an unfinished deployment", "device", device, "error", err)
		}
		if id != "" {
			return id
		}
	}
	return ""
}

func (f Finder) look(device, into string) (id string, err error) {
	file, err := os.Open(device)
	if err != nil {
		return "", err
	}
	fs := worthLooking(file)
	file.Close()
	if fs == "" {
		return "", nil
	}
	if err := os.MkdirAll(f.At, 0o700); err != nil {
		return "", err
	}
	unmount, err := f.Mount(device, fs, f.At)
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	defer func() { err = errors.Join(err, unmount()) }()
	return TakeFrom(f.At, Folder, into)
}

// MountReadOnly mounts a file system read-only. Of ext4 the kernel replays the journal
// first: after a power loss the state may stand in the journal only.
func MountReadOnly(device, fs, at string) (func() error, error) {
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount(device, at, fs, flags, ""); err != nil {
		return nil, err
	}
	return func() error { return unix.Unmount(at, 0) }, nil
}

// Partitions lists the block devices of a machine that may hold a file system:
// partitions first, then whole disks, without memory disks and optical drives. sys is
// the machine's /sys.
func Partitions(sys fs.FS) []string {
	var parts, disks []string
	entries, _ := fs.ReadDir(sys, "class/block")
	for _, e := range entries {
		name := e.Name()
		if skipped(name) {
			continue
		}
		if _, err := fs.Stat(sys, "class/block/"+name+"/partition"); err == nil {
			parts = append(parts, "/dev/"+name)
		} else {
			disks = append(disks, "/dev/"+name)
		}
	}
	return append(parts, disks...)
}

func skipped(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "sr", "fd", "nbd", "dm-", "md"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
