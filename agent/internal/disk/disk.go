package disk

import (
	"fmt"
	"strings"
)

// Bus is how a disk hangs on the machine.
type Bus string

// The buses. BusOther is everything else.
const (
	BusNVMe   Bus = "nvme"
	BusATA    Bus = "ata"
	BusSCSI   Bus = "scsi"
	BusVirtio Bus = "virtio"
	BusMMC    Bus = "mmc"
	BusUSB    Bus = "usb"
	BusLoop   Bus = "loop"
	BusOther  Bus = "other"
)

// Disk is a disk as the kernel tells of it.
type Disk struct {
	ID                 string `json:"id"`   // stable over restarts, unique on this device
	Name               string `json:"name"` // the kernel's name, e.g. nvme0n1
	Path               string `json:"path"` // e.g. /dev/nvme0n1
	Size               int64  `json:"size"` // bytes
	SectorSize         int    `json:"sectorSize"`
	PhysicalSectorSize int    `json:"physicalSectorSize"`
	Model              string `json:"model,omitempty"`
	Serial             string `json:"serial,omitempty"`
	Bus                Bus    `json:"bus"`
	Rotational         bool   `json:"rotational,omitempty"`
	Removable          bool   `json:"removable,omitempty"`
	ReadOnly           bool   `json:"readOnly,omitempty"`
	InUse              string `json:"inUse,omitempty"` // what uses it: "mounted at /x", "part of dm-0"; empty: nothing
	Boot               bool   `json:"boot,omitempty"`  // it is or may be what the machine booted from

	bootWhy string // why Boot is set
}

// External reports whether the disk is one that is plugged in and taken along.
func (d Disk) External() bool { return d.Removable || d.Bus == BusUSB }

// String tells people which disk is meant.
func (d Disk) String() string {
	parts := []string{d.Name, Bytes(d.Size), string(d.Bus)}
	if d.Model != "" {
		parts = append(parts, d.Model)
	}
	if d.Serial != "" {
		parts = append(parts, "serial "+d.Serial)
	}
	return strings.Join(parts, ", ")
}

// Bytes writes a size for people, in the units that disks are sold by.
func Bytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
