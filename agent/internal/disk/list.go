package disk

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// notDisks are the kernel's names of block devices that are no disks.
var notDisks = []string{"ram", "zram", "sr", "fd", "dm-", "md", "nbd", "loop"}

// ReadDisks lists the disks from sysfs below root (the machine's "/"). InUse and Boot
// are left to who can open them. Loop devices are only listed when withLoop.
func ReadDisks(root fs.FS, withLoop bool) ([]Disk, error) {
	entries, err := fs.ReadDir(root, "sys/block")
	if err != nil {
		return nil, err
	}
	var list []Disk
	for _, e := range entries {
		name := e.Name()
		loop := strings.HasPrefix(name, "loop")
		other := slices.ContainsFunc(notDisks, func(p string) bool { return strings.HasPrefix(name, p) })
		if other && !(loop && withLoop) || hidden(root, name) {
			continue
		}
		if d := readDisk(root, name); d.Size > 0 { // an empty reader has none
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b Disk) int {
		return cmp.Or(cmp.Compare(nvmeFirst(a), nvmeFirst(b)), compareNames(a.Name, b.Name))
	})
	unique(list)
	return list, nil
}

// hidden: boot partitions of eMMC and the paths below a multipath NVMe head.
func hidden(root fs.FS, name string) bool {
	if text(root, path.Join("sys/block", name, "hidden")) == "1" {
		return true
	}
	return strings.HasPrefix(name, "mmcblk") && (strings.Contains(name, "boot") || strings.Contains(name, "rpmb"))
}

func nvmeFirst(d Disk) int {
	if d.Bus == BusNVMe {
		return 0
	}
	return 1
}

func readDisk(root fs.FS, name string) Disk {
	at := func(p string) string { return text(root, path.Join("sys/block", name, p)) }
	number := func(p string) int64 { n, _ := strconv.ParseInt(at(p), 10, 64); return n }
	d := Disk{Name: name, Path: "/dev/" + name, Size: number("size") * 512, // sysfs counts in 512 bytes whatever the sector size
		SectorSize: int(number("queue/logical_block_size")), PhysicalSectorSize: int(number("queue/physical_block_size")),
		Rotational: number("queue/rotational") == 1, Removable: number("removable") == 1, ReadOnly: number("ro") == 1,
		Model: cmp.Or(at("device/model"), at("device/name"))}
	if d.SectorSize == 0 {
		d.SectorSize = 512
	}
	d.PhysicalSectorSize = max(d.PhysicalSectorSize, d.SectorSize)
	place, _ := fs.ReadLink(root, path.Join("sys/block", name))
	d.Bus = busOf(name, place, at("device/vendor"))
	if d.Bus != BusNVMe && d.Bus != BusMMC {
		if vendor := at("device/vendor"); vendor != "" && vendor != "ATA" && !strings.HasPrefix(vendor, "0x") {
			d.Model = strings.TrimSpace(vendor + " " + d.Model)
		}
	}
	d.Serial = cmp.Or(at("serial"), at("device/serial"), vpdSerial(root, name))
	wwid := cmp.Or(at("wwid"), at("device/wwid"), at("device/cid"))
	switch backing := at("loop/backing_file"); {
	case backing != "":
		d.ID = "loop-" + backing
	case wwid != "":
		d.ID = "wwid-" + strings.Join(strings.Fields(wwid), "_")
	case d.Serial != "":
		d.ID = "serial-" + strings.Join(strings.Fields(d.Model+" "+d.Serial), "_")
	default:
		d.ID = "path-" + devicePath(place, name)
	}
	return d
}

// busOf reads the bus out of the device's place in sysfs.
func busOf(name, place, vendor string) Bus {
	switch {
	case strings.HasPrefix(name, "nvme"):
		return BusNVMe
	case strings.HasPrefix(name, "mmcblk"):
		return BusMMC
	case strings.HasPrefix(name, "loop"):
		return BusLoop
	case strings.Contains(place, "/usb"):
		return BusUSB
	case strings.HasPrefix(name, "vd"):
		return BusVirtio
	case strings.Contains(place, "/ata") || vendor == "ATA":
		return BusATA
	case strings.HasPrefix(name, "sd"):
		return BusSCSI
	}
	return BusOther
}

// devicePath is where the device hangs: as stable as the machine's slots.
func devicePath(place, name string) string {
	_, place, ok := strings.Cut(place, "devices/")
	if !ok {
		return name
	}
	place, _, _ = strings.Cut(place, "/block/")
	return strings.ReplaceAll(place, "/", "_")
}

// vpdSerial reads the unit serial number page of SCSI disks (SPC-4, 7.8.15): four
// bytes of header, then text.
func vpdSerial(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, path.Join("sys/block", name, "device/vpd_pg80"))
	if err != nil || len(b) < 4 {
		return ""
	}
	return printable(string(b[4:]))
}

// unique makes ids unique: cheap sticks share serial numbers.
func unique(list []Disk) {
	count := map[string]int{}
	for _, d := range list {
		count[d.ID]++
	}
	for i, d := range list {
		if count[d.ID] > 1 {
			list[i].ID += "@" + d.Name
		}
	}
}

func text(root fs.FS, name string) string {
	b, _ := fs.ReadFile(root, name)
	return printable(string(b))
}

func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s))
}

// compareNames compares numbers in names by value, and sdb before sdaa.
func compareNames(a, b string) int {
	letters := func(s string) string { return strings.TrimRight(s, "0123456789") }
	la, lb := letters(a), letters(b)
	if la == lb {
		na, _ := strconv.Atoi(a[len(la):])
		nb, _ := strconv.Atoi(b[len(lb):])
		return na - nb
	}
	if strings.HasPrefix(a, "sd") && strings.HasPrefix(b, "sd") || strings.HasPrefix(a, "vd") && strings.HasPrefix(b, "vd") {
		return cmp.Or(len(la)-len(lb), strings.Compare(a, b))
	}
	return strings.Compare(a, b)
}
