package targetstate

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"

	"slipway/agent/internal/fat"
)

// Offsets of the ext2/3/4 superblock (Linux, Documentation/filesystems/ext4, "Super
// Block"); it begins at byte 1024.
const (
	superblockAt  = 1024
	superblockLen = 1024
	magicAt       = 0x38
	magic         = 0xef53
	lastMountedAt = 0x88
	lastMountedTo = lastMountedAt + 64
)

// lastMounted reads where an ext file system was mounted last. ok is false for
// anything else.
func lastMounted(r io.ReaderAt) (where string, ok bool) {
	block := make([]byte, superblockLen)
	if _, err := r.ReadAt(block, superblockAt); err != nil {
		return "", false
	}
	if binary.LittleEndian.Uint16(block[magicAt:]) != magic {
		return "", false
	}
	text, _, _ := bytes.Cut(block[lastMountedAt:lastMountedTo], []byte{0})
	return string(text), true
}

// The kinds of file systems that hold state.
const (
	ext4 = "ext4"
	vfat = "vfat"
)

// worthLooking returns the kind of a file system that may hold our state, or "": the
// boot image mounts the system that it installs at /target, and an installed system runs
// from "/". Of a Windows that is installed it is the EFI system partition, with our
// folder. Nothing else on a machine's disks is touched.
func worthLooking(r io.ReaderAt) string {
	if where, ok := lastMounted(r); ok {
		if where == "/target" || where == "/" {
			return ext4
		}
		return ""
	}
	f, err := fat.Open(r)
	if err != nil {
		return ""
	}
	list, _ := f.List(path.Dir(strings.TrimPrefix(Folder, "/")))
	for _, e := range list {
		if e.Folder && strings.HasPrefix(e.Short, shortFolder) {
			return vfat
		}
	}
	return ""
}

// shortFolder begins the short name that Folder's last part has on FAT.
const shortFolder = "SLIPWA~"
