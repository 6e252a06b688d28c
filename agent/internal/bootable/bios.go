package bootable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"slipway/agent/internal/disk"
)

// Where GRUB's i386-pc images hold what an installer fills in, in bytes from their
// beginning (grub-core/boot/i386/pc/boot.S and diskboot.S).
const (
	sectorSize     = 512
	bootCodeEnd    = 440  // the partition table's part of the sector begins here
	bootCoreSector = 0x5c // u64: sector of the core's first one
	bootDriveCheck = 0x66 // two bytes of code that only floppies need
	coreList       = 0x1f4
	coreSegment    = 0x0820 // the list's only entry is loaded behind the first sector
)

// biosPlace is where the core may lie, in bytes.
func biosPlace(l disk.Layout) (start, length int64, err error) {
	if l.SectorSize != sectorSize {
		return 0, 0, fmt.Errorf("a BIOS starts disks with sectors of %d bytes only, this one has %d", sectorSize, l.SectorSize)
	}
	if p, ok := l.Find(disk.RoleBIOSBoot); ok {
		return p.Start, p.Size, nil
	}
	if l.Table != disk.MBR {
		return 0, 0, errors.New("the disk has a GPT without a BIOS boot partition: let Format disk make one")
	}
	first := int64(1 << 20)
	for _, p := range l.Partitions {
		first = min(first, p.Start)
	}
	return sectorSize, first - sectorSize, nil
}

// patchBoot fills boot.img in for a core that begins at a sector, and puts it into
// the disk's first sector, of which the partition table stays.
func patchBoot(first, boot []byte, core int64) ([]byte, error) {
	if len(first) != sectorSize || len(boot) != sectorSize {
		return nil, errors.New("GRUB's boot.img is not one sector long")
	}
	out := bytes.Clone(first)
	copy(out[:bootCodeEnd], boot)
	binary.LittleEndian.PutUint64(out[bootCoreSector:], uint64(core))
	out[bootDriveCheck], out[bootDriveCheck+1] = 0x90, 0x90
	out[510], out[511] = 0x55, 0xaa
	return out, nil
}

// patchCore fills in the list of sectors in core.img, which is loaded in one piece
// behind its first sector, and fills up its last one.
func patchCore(core []byte, start int64) ([]byte, error) {
	if len(core) <= sectorSize {
		return nil, errors.New("GRUB's core image is too short")
	}
	out := append(bytes.Clone(core), make([]byte, (sectorSize-len(core)%sectorSize)%sectorSize)...)
	sectors := len(out)/sectorSize - 1
	if sectors > 0x7fff {
		return nil, fmt.Errorf("GRUB's core image has %d bytes, too many for a BIOS", len(core))
	}
	binary.LittleEndian.PutUint64(out[coreList:], uint64(start)+1)
	binary.LittleEndian.PutUint16(out[coreList+8:], uint16(sectors))
	binary.LittleEndian.PutUint16(out[coreList+10:], coreSegment)
	return out, nil
}

// writeBIOS writes GRUB onto a disk of which nothing is mounted. The boot sector
// comes last: until then the disk starts as before.
func writeBIOS(ctx context.Context, disks disk.Disks, l disk.Layout, boot, core []byte) (err error) {
	start, room, err := biosPlace(l)
	if err != nil {
		return err
	}
	if core, err = patchCore(core, start/sectorSize); err != nil {
		return err
	}
	if int64(len(core)) > room {
		return fmt.Errorf("GRUB's core image has %d bytes, there is room for %d", len(core), room)
	}
	t, err := disks.Open(ctx, l.Disk, disk.OpenOptions{})
	if err != nil {
		return fmt.Errorf("open the disk for the boot loader: %w", err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	first := make([]byte, sectorSize)
	if _, err := t.ReadAt(first, 0); err != nil {
		return fmt.Errorf("read the boot sector: %w", err)
	}
	if first, err = patchBoot(first, boot, start/sectorSize); err != nil {
		return err
	}
	if _, err := t.WriteAt(core, start); err != nil {
		return fmt.Errorf("write the boot loader: %w", err)
	}
	if err := t.Sync(); err != nil {
		return fmt.Errorf("write the boot loader: %w", err)
	}
	if _, err := t.WriteAt(first, 0); err != nil {
		return fmt.Errorf("write the boot sector: %w", err)
	}
	if err := t.Sync(); err != nil {
		return fmt.Errorf("write the boot sector: %w", err)
	}
	return nil
}
