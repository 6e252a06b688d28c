package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
)

// Where things lie in the boot sector of an NTFS: the fields are Microsoft's, as
// ntfs-3g's layout.h tells them.
const (
	ntfsSerial     = 0x48
	ntfsVolume     = 3    // number of the record of the file $Volume
	ntfsVolumeName = 0x60 // type of the attribute that is the label
	ntfsMostRecord = 4096
)

// ntfsLabel reads the label out of the record of $Volume; empty when there is none or
// the file system is damaged. boot is the beginning of the file system.
func ntfsLabel(r io.ReaderAt, boot []byte) string {
	le := binary.LittleEndian
	sector, perCluster := int64(le.Uint16(boot[11:])), int64(boot[13])
	if perCluster > 128 { // larger clusters are a power of two, counted down
		perCluster = 1 << (256 - perCluster)
	}
	cluster := sector * perCluster
	size := cluster * int64(boot[0x40])
	if n := int(int8(boot[0x40])); n < 0 { // smaller than a cluster: a power of two
		size = 1 << min(-n, 30)
	}
	mft := int64(le.Uint64(boot[0x30:]))
	if sector < 512 || cluster < 512 || cluster > 2<<20 || size < 512 || size > ntfsMostRecord || mft < 1 || mft > 1<<40 {
		return ""
	}
	record := make([]byte, size)
	if _, err := r.ReadAt(record, mft*cluster+ntfsVolume*size); err != nil || !unprotect(record) {
		return ""
	}
	for at := int64(le.Uint16(record[0x14:])); at+24 <= size; {
		kind, length := le.Uint32(record[at:]), int64(le.Uint32(record[at+4:]))
		if length < 24 || at+length > size {
			return ""
		}
		one := record[at : at+length]
		if n, from := int64(le.Uint32(one[16:])), int64(le.Uint16(one[20:])); kind == ntfsVolumeName && one[8] == 0 && from+n <= length && n <= 256 {
			var units []uint16
			for text := one[from : from+n]; len(text) >= 2; text = text[2:] {
				units = append(units, le.Uint16(text))
			}
			return string(utf16.Decode(units))
		}
		at += length
	}
	return ""
}

// unprotect puts the last two bytes of each sector of a record back, in whose place
// its update sequence number stands.
func unprotect(record []byte) bool {
	le := binary.LittleEndian
	at, count := int(le.Uint16(record[4:])), int(le.Uint16(record[6:]))
	if string(record[:4]) != "FILE" || count < 1 || (count-1)*512 > len(record) || at+2*count > len(record) {
		return false
	}
	for i := 1; i < count; i++ {
		end := record[i*512-2 : i*512]
		if le.Uint16(end) != le.Uint16(record[at:]) {
			return false
		}
		copy(end, record[at+2*i:at+2*i+2])
	}
	return true
}

// setNTFSSerial gives a new NTFS its serial number, in the boot sector and in its copy
// in the partition's last sector.
func setNTFSSerial(t interface {
	io.ReaderAt
	io.WriterAt
}, size int64, sector int, uuid string) error {
	var serial uint64
	if _, err := fmt.Sscanf(uuid, "%016X", &serial); err != nil {
		return fmt.Errorf("the serial number %q: %w", uuid, err)
	}
	for _, at := range []int64{size - int64(sector), 0} {
		b := make([]byte, sector)
		if _, err := t.ReadAt(b, at); err != nil {
			return err
		}
		if string(b[3:11]) != "NTFS    " {
			return errors.New("there is no boot sector where it has to be")
		}
		binary.LittleEndian.PutUint64(b[ntfsSerial:], serial)
		if _, err := t.WriteAt(b, at); err != nil {
			return err
		}
	}
	return nil
}
