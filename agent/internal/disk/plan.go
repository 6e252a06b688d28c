package disk

import "fmt"

// Geometry is what the planner needs to know of a disk, and the machine's
// architecture (Go's word; empty: amd64).
type Geometry struct {
	Size         int64 // bytes
	SectorSize   int   // logical, bytes: 512 or 4096
	Architecture string
}

// Geometry returns the disk's.
func (d Disk) Geometry() Geometry { return Geometry{Size: d.Size, SectorSize: d.SectorSize} }

// align is where partitions begin and end: 1 MiB suits every disk made since 2010.
const align = mib

// Plan lays partitions out. It is pure: the same in, the same out, and neither ids
// (Layout.Identify) nor the disk's name are in it. Errors wrap ErrSpec or
// ErrTooSmall.
func Plan(s Spec, g Geometry) (Layout, error) {
	if err := s.check(); err != nil {
		return Layout{}, err
	}
	if g.SectorSize < 512 || g.SectorSize > 4096 || g.SectorSize&(g.SectorSize-1) != 0 {
		return Layout{}, fmt.Errorf("%w: sectors of %d bytes", ErrSpec, g.SectorSize)
	}
	table, err := s.table(g)
	if err != nil {
		return Layout{}, err
	}
	wants := s.wants(table)
	if err := checkWants(wants, table); err != nil {
		return Layout{}, err
	}
	sizes, err := distribute(wants, usable(table, g), g)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Format: LayoutFormat, Firmware: s.Firmware, Table: table, SectorSize: g.SectorSize}
	start := int64(align)
	for i, w := range wants {
		l.Partitions = append(l.Partitions, partition(i+1, w, table, g, start, sizes[i]))
		start += sizes[i]
	}
	if table == MBR {
		activate(l.Partitions)
	}
	return l, nil
}

// usable is the space between the first aligned byte and the last: a GPT keeps a
// copy of itself in the last sectors, and an MBR counts sectors in 32 bits.
func usable(table TableKind, g Geometry) int64 {
	end := g.Size
	if table == GPT {
		end -= int64(gptArrayBytes + g.SectorSize)
	}
	return max(0, down(end, align)-align)
}

// distribute turns sizes as wanted into bytes, multiples of the alignment.
func distribute(wants []Want, space int64, g Geometry) ([]int64, error) {
	sizes := make([]int64, len(wants))
	left, rest := space, -1
	for i, w := range wants {
		switch {
		case w.Size.Rest:
			rest = i
			continue
		case w.Size.Percent > 0:
			sizes[i] = space / align * int64(w.Size.Percent) / 100 * align
		default:
			sizes[i] = w.Size.MiB * mib
		}
		if sizes[i] > left { // also keeps the sum from overflowing
			return nil, tooSmall(wants, g)
		}
		left -= sizes[i]
	}
	if rest >= 0 {
		sizes[rest] = left
	}
	for i, w := range wants {
		if least := leastOf(w, g) * mib; sizes[i] < least {
			if w.Size.MiB > 0 {
				return nil, fmt.Errorf("%w: partition %d (%s) is to have %d MiB, it needs %d MiB at least", ErrSpec, i+1, w.Role, w.Size.MiB, least/mib)
			}
			return nil, tooSmall(wants, g)
		}
	}
	return sizes, nil
}

func leastOf(w Want, g Geometry) int64 {
	if w.Role == RoleESP && g.SectorSize == 4096 {
		return leastESP
	}
	return roles[w.Role].least
}

func tooSmall(wants []Want, g Geometry) error {
	need := int64(2) // MiB before the first partition and for the copy of the table
	for _, w := range wants {
		need += max(w.Size.MiB, leastOf(w, g))
	}
	return fmt.Errorf("%w: it has %d MiB, this layout needs %d MiB at least", ErrTooSmall, g.Size/mib, need)
}

// dataMBR are the types in an MBR of data partitions that Windows reads; in a GPT they
// all have one.
var dataMBR = map[string]string{FSVFAT: "0c", FSNTFS: "07"}

func partition(number int, w Want, table TableKind, g Geometry, start, size int64) Partition {
	role := roles[w.Role]
	p := Partition{Number: number, Role: w.Role, Start: start, Size: size, FS: fsOf(w), Label: w.Label}
	if p.FS == "none" {
		p.FS = ""
	}
	if p.Label == "" && p.FS != "" {
		p.Label = role.label
	}
	if table == MBR {
		p.Type = role.mbr
		if other := dataMBR[p.FS]; w.Role == RoleData && other != "" {
			p.Type = other
		}
		return p
	}
	p.Type, p.Name, p.Attributes = role.gpt, role.name, role.attributes
	switch {
	case w.Role == RoleRoot && g.Architecture == "arm64":
		p.Type = typeRootARM64
	case w.Role == RoleData && dataMBR[p.FS] != "":
		p.Type = typeBasicData
	}
	return p
}

// activate marks the partition that a BIOS starts from: some start no disk without.
func activate(list []Partition) {
	for _, role := range []Role{RoleRoot, RoleWindows, RoleData} {
		for i := range list {
			if list[i].Role == role {
				list[i].Active = true
				return
			}
		}
	}
}
