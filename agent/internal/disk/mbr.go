package disk

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The places in an MBR: boot code, disk signature, four entries of 16 bytes.
const (
	mbrSignature = 440
	mbrEntries   = 446
	mbrEnd       = 510
)

// parseMBR reads the four primary partitions. A protective MBR is none (ErrNoTable:
// the caller has looked for a GPT before); extended partitions are told as data.
func parseMBR(b []byte, size int64, sector int) (Layout, error) {
	if len(b) < 512 || b[mbrEnd] != 0x55 || b[mbrEnd+1] != 0xaa {
		return Layout{}, ErrNoTable
	}
	le := binary.LittleEndian
	l := Layout{Format: LayoutFormat, Table: MBR, SectorSize: sector, TableID: fmt.Sprintf("%08x", le.Uint32(b[mbrSignature:]))}
	for i := range 4 {
		e := b[mbrEntries+16*i:]
		start, length := int64(le.Uint32(e[8:])), int64(le.Uint32(e[12:]))
		if e[4] == 0 || length == 0 {
			continue
		}
		if e[4] == 0xee || e[0]&0x7f != 0 || start == 0 { // FAT's boot sector ends in 55 aa too
			return Layout{}, ErrNoTable
		}
		p := Partition{Number: i + 1, Type: fmt.Sprintf("%02x", e[4]), Active: e[0] == 0x80, Start: start * int64(sector), Size: length * int64(sector)}
		p.PartUUID = fmt.Sprintf("%s-%02x", l.TableID, p.Number)
		if p.End() > size {
			return Layout{}, fmt.Errorf("%w: partition %d reaches beyond the disk", errBadTable, p.Number)
		}
		l.Partitions = append(l.Partitions, p)
	}
	if len(l.Partitions) == 0 {
		return Layout{}, ErrNoTable
	}
	return l, checkOverlap(l.Partitions)
}

// putMBR writes signature and entries into a first sector; its boot code stays.
func putMBR(b []byte, l Layout, size int64) error {
	clear(b[mbrSignature:mbrEnd])
	b[mbrEnd], b[mbrEnd+1] = 0x55, 0xaa
	le := binary.LittleEndian
	sector := int64(l.SectorSize)
	if l.Table == GPT {
		// The protective MBR (UEFI 2.10, 5.2.3). A disk beyond 2^32 sectors has all
		// ones there; go-diskfs would wrap around, so it is ours.
		putEntry(b[mbrEntries:], 0xee, false, 1, uint32(min(size/sector-1, math.MaxUint32)))
		return nil
	}
	var id uint32
	if _, err := fmt.Sscanf(l.TableID, "%08x", &id); err != nil {
		return fmt.Errorf("disk signature %q: %w", l.TableID, err)
	}
	le.PutUint32(b[mbrSignature:], id)
	for _, p := range l.Partitions {
		var kind byte
		if _, err := fmt.Sscanf(p.Type, "%02x", &kind); err != nil {
			return fmt.Errorf("partition type %q: %w", p.Type, err)
		}
		if p.Number < 1 || p.Number > 4 || p.End()/sector > math.MaxUint32 {
			return fmt.Errorf("partition %d does not fit into an MBR", p.Number)
		}
		putEntry(b[mbrEntries+16*(p.Number-1):], kind, p.Active, uint32(p.Start/sector), uint32(p.Size/sector))
	}
	return nil
}

// putEntry writes an entry; the cylinders are all ones, as for every disk beyond 8 GB.
func putEntry(e []byte, kind byte, active bool, start, length uint32) {
	if active {
		e[0] = 0x80
	}
	e[1], e[2], e[3] = 0xfe, 0xff, 0xff
	if kind == 0xee {
		e[1], e[2], e[3] = 0, 2, 0
	}
	e[4], e[5], e[6], e[7] = kind, 0xfe, 0xff, 0xff
	binary.LittleEndian.PutUint32(e[8:], start)
	binary.LittleEndian.PutUint32(e[12:], length)
}
