package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
)

// probeBytes is how much of a file system's beginning Probe looks at.
const probeBytes = 70 << 10

// Content is what lies on a partition, as its superblock says.
type Content struct {
	FS    string // the kernel's name; empty: nothing known
	Label string
	UUID  string
}

// Probe recognises a file system by its superblock. What is damaged or unknown is
// an empty Content; an error means that reading failed.
func Probe(r io.ReaderAt) (Content, error) {
	b := make([]byte, probeBytes)
	n, err := r.ReadAt(b, 0)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return Content{}, err
	}
	clear(b[n:])
	c := probe(b)
	if c.FS == FSNTFS {
		c.Label = ntfsLabel(r, b)
	}
	return c, nil
}

func probe(b []byte) Content {
	is := func(at int, magic string) bool { return string(b[at:at+len(magic)]) == magic }
	id := func(at int) string { u, _ := uuid.FromBytes(b[at : at+16]); return u.String() }
	word := func(at, n int) string {
		s, _, _ := bytes.Cut(b[at:at+n], []byte{0})
		return strings.TrimRight(string(s), " ")
	}
	serial := func(at int) string {
		n := binary.LittleEndian.Uint32(b[at:])
		return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
	}
	switch {
	case is(0, "XFSB"):
		return Content{FSXFS, word(108, 12), id(32)}
	case is(1080, "\x53\xef"):
		return Content{extVersion(b), word(1024+0x78, 16), id(1024 + 0x68)}
	case is(4086, "SWAPSPACE2"):
		return Content{FSSwap, word(1052, 16), id(1036)}
	case is(0x10040, "_BHRfS_M"):
		return Content{"btrfs", word(0x1012b, 256), id(0x10020)}
	case is(0, "LUKS\xba\xbe"):
		return Content{FS: "crypto_LUKS"}
	case is(512, "LABELONE"):
		return Content{FS: "LVM2_member"}
	case is(0x8001, "CD001"):
		return Content{FS: "iso9660", Label: word(0x8028, 32)}
	case is(0, "hsqs"):
		return Content{FS: "squashfs"}
	case is(3, "NTFS    "):
		return Content{FS: FSNTFS, UUID: fmt.Sprintf("%016X", binary.LittleEndian.Uint64(b[0x48:]))}
	case is(510, "\x55\xaa") && is(0x52, "FAT32"):
		return Content{FSVFAT, fatLabel(word(0x47, 11)), serial(0x43)}
	case is(510, "\x55\xaa") && (is(0x36, "FAT16") || is(0x36, "FAT12")):
		return Content{FSVFAT, fatLabel(word(0x2b, 11)), serial(0x27)}
	}
	return Content{}
}

func fatLabel(s string) string {
	if s == "NO NAME" {
		return ""
	}
	return s
}

// extVersion tells ext4 from its forerunners by the features they do not know:
// extents and 64 bits (0x2c0 of the incompatible ones), a journal makes ext3.
func extVersion(b []byte) string {
	compatible, incompatible := binary.LittleEndian.Uint32(b[1024+0x5c:]), binary.LittleEndian.Uint32(b[1024+0x60:])
	switch {
	case incompatible&0x2c0 != 0:
		return FSExt4
	case compatible&4 != 0:
		return "ext3"
	}
	return "ext2"
}
