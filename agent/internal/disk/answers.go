package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// What Windows answers to questions about disks, as bytes.

// windowsBuses are STORAGE_BUS_TYPE.
var windowsBuses = map[uint32]Bus{1: BusSCSI, 3: BusATA, 7: BusUSB, 10: BusSCSI, 11: BusATA, 12: BusMMC, 13: BusMMC, 17: BusNVMe}

// describeDevice reads a STORAGE_DEVICE_DESCRIPTOR.
func describeDevice(d *Disk, b []byte) {
	if len(b) < 36 {
		return
	}
	text := func(at int) string {
		offset := binary.LittleEndian.Uint32(b[at:])
		if offset == 0 || uint64(offset) >= uint64(len(b)) {
			return ""
		}
		s, _, _ := bytes.Cut(b[offset:], []byte{0})
		return strings.Join(strings.Fields(strings.ToValidUTF8(string(s), "?")), " ")
	}
	d.Removable = b[10] != 0
	d.Model = strings.TrimSpace(text(12) + " " + text(16))
	d.Serial = text(24)
	d.Bus = BusOther
	if bus, ok := windowsBuses[binary.LittleEndian.Uint32(b[28:])]; ok {
		d.Bus = bus
	}
}

// parseDriveLayout reads a DRIVE_LAYOUT_INFORMATION_EX with its entries of 144 bytes.
// Entries of an MBR that stand for nothing are left out.
func parseDriveLayout(b []byte) (Layout, error) {
	const head, entry = 48, 144
	if len(b) < head {
		return Layout{}, fmt.Errorf("Windows' answer about the partitions is cut short: %d bytes", len(b))
	}
	l := Layout{Format: LayoutFormat}
	switch style := binary.LittleEndian.Uint32(b); style {
	case 0:
		l.Table, l.TableID = MBR, fmt.Sprintf("%08x", binary.LittleEndian.Uint32(b[8:]))
	case 1:
		l.Table, l.TableID = GPT, strings.ToUpper(mixedGUID(b[8:24]))
	default:
		return l, ErrNoTable
	}
	count := binary.LittleEndian.Uint32(b[4:])
	for i := range int(min(count, 256)) {
		at := head + i*entry
		if at+entry > len(b) {
			return l, fmt.Errorf("Windows' answer about the partitions is cut short: %d of %d", i, count)
		}
		e := b[at : at+entry]
		p := Partition{Start: int64(binary.LittleEndian.Uint64(e[8:])), Size: int64(binary.LittleEndian.Uint64(e[16:])),
			Number: int(binary.LittleEndian.Uint32(e[24:]))}
		if l.Table == GPT {
			p.Type, p.PartUUID = strings.ToUpper(mixedGUID(e[32:48])), mixedGUID(e[48:64])
			p.Attributes = binary.LittleEndian.Uint64(e[64:])
		} else {
			if e[32] == 0 || p.Size == 0 {
				continue
			}
			p.Type, p.Active = fmt.Sprintf("%02x", e[32]), e[33] != 0
		}
		l.Partitions = append(l.Partitions, p)
	}
	return l, nil
}

// mixedGUID writes a GUID whose first three fields are little-endian.
func mixedGUID(b []byte) string {
	var u uuid.UUID
	copy(u[:], b)
	u[0], u[1], u[2], u[3] = u[3], u[2], u[1], u[0]
	u[4], u[5] = u[5], u[4]
	u[6], u[7] = u[7], u[6]
	return u.String()
}
