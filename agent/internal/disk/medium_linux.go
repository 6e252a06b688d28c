package disk

import (
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// notAMedium says of a disk that is refused why it may be the medium.
const (
	isMedium    = "it is a Slipway medium, from which the machine may have booted"
	maybeMedium = "the machine was started from a Slipway medium that is not found among its disks, and this may be it: start from the network, or take it out"
)

// markMedia marks the disks that are, or may be, what the machine booted from.
func (m *Linux) markMedia(list []Disk) {
	found := false
	for i := range list {
		is, image := mediumOn(m.fs(), list[i].Name, list[i].Path)
		if is {
			list[i].Boot, list[i].bootWhy = true, isMedium
		}
		found = found || image == m.Medium
	}
	if m.Medium == "" || found || m.inDrive() {
		return
	}
	for i := range list {
		if !list[i].Boot && list[i].External() {
			list[i].Boot, list[i].bootWhy = true, maybeMedium
		}
	}
}

// inDrive reports whether the medium lies in a CD drive, which is no disk.
func (m *Linux) inDrive() bool {
	entries, _ := fs.ReadDir(m.fs(), "sys/block")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "sr") {
			if _, image := mediumOn(m.fs(), e.Name(), "/dev/"+e.Name()); image == m.Medium {
				return true
			}
		}
	}
	return false
}

// mediumOn looks at a whole disk and at the partitions that the kernel knows.
func mediumOn(root fs.FS, name, path string) (is bool, image string) {
	f, err := os.Open(path)
	if err != nil {
		return false, ""
	}
	defer f.Close()
	if is, image = medium(f); is {
		return is, image
	}
	for _, part := range partitionNames(root, name) {
		at := "sys/block/" + name + "/" + part + "/"
		start, _ := strconv.ParseInt(text(root, at+"start"), 10, 64)
		size, _ := strconv.ParseInt(text(root, at+"size"), 10, 64)
		if is, image = medium(io.NewSectionReader(f, start*512, size*512)); is {
			return is, image
		}
	}
	return false, ""
}
