package bootimages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"slipway/bootimages/internal/fat32"
	"slipway/fleet"
)

// makeWinPEMedium writes a medium of a Windows PE image. The addresses of the appliance
// are those inside the image.
func (b *Builder) makeWinPEMedium(ctx context.Context, image fleet.BootImage, o MediaOptions) (m MadeMedium, err error) {
	xorriso := ""
	if o.Kind == MediaISO {
		if xorriso, err = exec.LookPath("xorriso"); err != nil {
			return m, ErrNoXorriso
		}
	}
	if _, err := Verify(filepath.Join(b.BootDir(), image.ID)); err != nil {
		return m, fmt.Errorf("%w: image %s: build it again: %w", ErrCorrupt, image.ID, err)
	}
	disk, size, err := b.OpenDisk(image)
	if err != nil {
		return m, err
	}
	defer disk.Close()
	dir, err := b.tempDir("medium-")
	if err != nil {
		return m, plain(err, b.Data)
	}
	m = MadeMedium{folder: dir, Path: filepath.Join(dir, "medium"), Medium: fleet.Medium{ID: mediumID(image, MediaOptions{Kind: o.Kind}, mediaParts{}), Kind: o.Kind,
		Image: image.ID, CASet: image.CASet, Servers: insideServers(image)}}
	if o.Kind == MediaISO {
		err = b.writeWinPEISO(ctx, m, image, disk, size, xorriso)
		m.Firmware = winPEFirmware(image)
	} else if err = roomFor(dir, size, b.Data); err == nil {
		err = writeFile(m.Path, &contextReader{ctx, disk})
		m.Firmware = "UEFI"
	}
	if err == nil {
		m.SHA256, m.Size, err = hashFile(m.Path)
	}
	if err != nil {
		return MadeMedium{}, errors.Join(plain(err, b.Data), os.RemoveAll(dir))
	}
	return m, nil
}

// winPEFirmware says which machines start from a CD of an image.
func winPEFirmware(image fleet.BootImage) string {
	has := func(name string) bool {
		return slices.ContainsFunc(image.Files, func(f fleet.ImageFile) bool { return f.Name == name })
	}
	if has(CDLoader) && has(CDManager) {
		return "UEFI and BIOS"
	}
	return "UEFI"
}

// writeWinPEISO writes a CD. UEFI firmware starts the boot manager from the FAT file
// system at its end, which is a partition too, for sticks; BIOS starts Microsoft's own
// loader. All files stand in the disc's file system as well, under the names of Windows'
// own discs: that loader reads no other, and Microsoft's boot manager may look at the
// disc that the firmware started it from, not at the FAT file system.
func (b *Builder) writeWinPEISO(ctx context.Context, m MadeMedium, image fleet.BootImage, disk io.ReadSeeker, size int64, xorriso string) error {
	// Three times the image: the FAT file system, and the disc with it and the files.
	if err := roomFor(m.folder, 3*size+16<<20, b.Data); err != nil {
		return err
	}
	partition := filepath.Join(m.folder, "partition")
	_, err := disk.Seek(fat32.PartitionStart, io.SeekStart)
	if err == nil {
		err = writeFile(partition, &contextReader{ctx, disk})
	}
	if err != nil {
		return err
	}
	bios := winPEFirmware(image) != "UEFI"
	args := []string{"-iso-level", "3", "-omit-period", "-omit-version-number", "-D", "-J", "-joliet-long", "-partition_offset", "16",
		"-append_partition", "2", "0xef", partition, "-appended_part_as_gpt"}
	if bios {
		// As Microsoft's oscdimg has it: the loader alone, at the usual address.
		args = append(args, "-b", "boot/"+CDLoader, "-c", "boot/boot.cat", "-no-emul-boot", "-boot-load-size", "8", "-eltorito-alt-boot")
	} else {
		args = append(args, "-c", "boot/boot.cat")
	}
	args = append(args, "-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-graft-points")
	files := map[string]string{}
	for _, f := range image.Files {
		for _, to := range discPaths(f.Name, image.Architecture, bios) {
			files[to] = filepath.Join(b.BootDir(), image.ID, f.Name)
		}
	}
	for _, to := range slices.Sorted(maps.Keys(files)) {
		args = append(args, to+"="+escapeGraft(files[to]))
	}
	if err := runXorriso(ctx, xorriso, b.Data, m.ID, m.Path, args...); err != nil {
		return err
	}
	return os.Remove(partition)
}

// discPaths says where a file of an image lies in a disc's own file system.
func discPaths(name, arch string, bios bool) (out []string) {
	for _, p := range diskPaths(name, arch) {
		out = append(out, strings.ToLower(p))
	}
	if !bios {
		return out
	}
	switch {
	case name == CDLoader:
		return []string{"boot/" + CDLoader}
	case name == CDManager:
		return []string{CDManager}
	case name == BIOSCDStore:
		return []string{"boot/bcd"}
	case strings.HasSuffix(name, ".ttf"):
		return append(out, "boot/fonts/"+name)
	}
	return out
}
