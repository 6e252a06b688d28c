package bootimages

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/bootimages/internal/fat32"
	"slipway/fleet"
)

// WinPEDisk is the name under which a Windows PE image is served as a disk with a
// FAT32 partition: for UEFI HTTP Boot, iPXE's sanboot, and sticks. It is no file: it
// is put together of the image's files while it is read.
const WinPEDisk = "winpe.img"

// OpenDisk opens a Windows PE image as a disk and returns its size in bytes. The same
// image always gives the same bytes. What the firmware starts is EFI/BOOT, where
// Microsoft's boot manager lies under the name for removable media.
func (b *Builder) OpenDisk(image fleet.BootImage) (io.ReadSeekCloser, int64, error) {
	if image.Kind != KindWinPE {
		return nil, 0, fmt.Errorf("%w: image %s is not a Windows PE image", ErrOption, image.ID)
	}
	raw, err := hex.DecodeString(image.ID)
	if err != nil || len(raw) < 4 {
		return nil, 0, fmt.Errorf("%w: image id %q", ErrOption, image.ID)
	}
	var files []fat32.File
	for _, f := range image.Files {
		for _, to := range diskPaths(f.Name, image.Architecture) {
			files = append(files, fat32.File{Path: to, Source: filepath.Join(b.BootDir(), image.ID, f.Name), Size: f.Size})
		}
	}
	disk, err := fat32.Plan("SLIPWAY", binary.BigEndian.Uint32(raw), files)
	if err != nil {
		return nil, 0, err
	}
	r, err := disk.Open()
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: image %s: build it again: %w", ErrCorrupt, image.ID, err)
	}
	if err != nil {
		return nil, 0, err
	}
	return r, disk.Size, nil
}

// diskPaths says where a file of an image lies on the disk.
func diskPaths(name, arch string) []string {
	switch {
	case name == BootManager:
		return []string{"EFI/BOOT/" + strings.ToUpper(efiName(arch))}
	case name == MediaStore:
		return []string{"EFI/Microsoft/Boot/BCD"}
	case name == BootSDI:
		return []string{"boot/" + BootSDI}
	case name == BootWIM:
		return []string{"sources/" + BootWIM}
	case strings.HasSuffix(name, ".ttf"):
		return []string{"EFI/Microsoft/Boot/Fonts/" + name}
	}
	return nil
}

// insideServers are the addresses that an image was built with.
func insideServers(image fleet.BootImage) (out []string) {
	for _, line := range image.Inputs {
		if s, ok := strings.CutPrefix(line, "server "); ok {
			out = append(out, s)
		}
	}
	return out
}

// roomFor refuses before anything is written when the disk cannot hold it.
func roomFor(dir string, need int64, data string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	if int64(s.Bavail)*s.Bsize < need {
		return fmt.Errorf("%w that holds %s: %d MB are needed", ErrNoSpace, data, need/1e6)
	}
	return nil
}
