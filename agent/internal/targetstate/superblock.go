package targetstate

import (
	"bytes"
	"encoding/binary"
	"io"
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

// worthLooking reports whether a file system may hold our state: the boot image
// mounts the system that it installs at /target, and an installed system runs from
// "/". Nothing else on a machine's disks is touched.
func worthLooking(r io.ReaderAt) bool {
	where, ok := lastMounted(r)
	return ok && (where == "/target" || where == "/")
}
