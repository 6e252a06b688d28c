package bcd

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Device is what a device element points to: the boot device, a partition, or a RAM
// disk that is filled from a file on one of them.
type Device struct {
	content []byte // the descriptor, from its type on
	options GUID   // of a RAM disk
	err     error
}

// The types of devices, and of partition tables, in descriptors.
const (
	deviceRAM       = 3 // of a block device
	deviceBlock     = 0
	deviceBoot      = 5
	devicePartition = 6
	tableGPT        = 0
	tableMBR        = 1
	plainSize       = 0x48
	pathOnDevice    = 5
	maxPath         = 255
)

// Boot is the device that the boot manager was loaded from: medium or server.
func Boot() Device { return Device{content: descriptor(deviceBoot, 0, plainSize)} }

// GPT is a partition of a disk with a GUID partition table, named by the partition's
// and the disk's own GUID.
func GPT(partition, disk GUID) Device {
	d := descriptor(devicePartition, 0, plainSize)
	copy(d[16:], partition[:])
	binary.LittleEndian.PutUint32(d[36:], tableGPT)
	copy(d[40:], disk[:])
	return Device{content: d}
}

// MBR is a partition of a disk with a master boot record, named by where it begins
// (bytes) and the disk's signature.
func MBR(offset uint64, signature uint32) Device {
	d := descriptor(devicePartition, 0, plainSize)
	binary.LittleEndian.PutUint64(d[16:], offset)
	binary.LittleEndian.PutUint32(d[36:], tableMBR)
	binary.LittleEndian.PutUint32(d[40:], signature)
	return Device{content: d}
}

// RAMDisk is a RAM disk filled from a WIM on a device: path is Windows' form,
// "\sources\boot.wim"; options names the object that says where boot.sdi lies.
func RAMDisk(on Device, path string, options GUID) Device {
	if on.err != nil || on.options != (GUID{}) {
		return Device{err: fmt.Errorf("a RAM disk on a RAM disk: %w", ErrStore)}
	}
	if err := checkPath(path); err != nil {
		return Device{err: err}
	}
	le := binary.LittleEndian
	file := le.AppendUint32(nil, 1) // version of the file's descriptor
	name := utf16.Encode([]rune(path + "\x00"))
	file = le.AppendUint32(file, uint32(12+len(on.content)+2*len(name)))
	file = append(le.AppendUint32(file, pathOnDevice), on.content...)
	for _, u := range name {
		file = le.AppendUint16(file, u)
	}
	d := descriptor(deviceBlock, 1, uint32(16+24+len(file)))[:16]
	d = append(le.AppendUint32(d, deviceRAM), make([]byte, 20)...)
	return Device{content: append(d, file...), options: options}
}

// descriptor is a descriptor of the given size with its head filled in.
func descriptor(kind, flags, size uint32) []byte {
	d := make([]byte, max(size, 16))
	binary.LittleEndian.PutUint32(d, kind)
	binary.LittleEndian.PutUint32(d[4:], flags)
	binary.LittleEndian.PutUint32(d[8:], size)
	return d
}

// bytes is the element's value.
func (d Device) bytes() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	if len(d.content) == 0 {
		return nil, fmt.Errorf("no device is named: %w", ErrStore)
	}
	return append(d.options[:len(d.options):len(d.options)], d.content...), nil
}

func checkPath(p string) error {
	if !strings.HasPrefix(p, `\`) || strings.Contains(p, "/") || len(p) > maxPath {
		return fmt.Errorf(`path %q: write it as \folder\file: %w`, p, ErrStore)
	}
	for _, c := range p {
		if c < 0x20 || c > 0x7e {
			return fmt.Errorf("path %q: character %q: %w", p, c, ErrStore)
		}
	}
	return nil
}
