package bootable

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"slipway/agent/internal/disk"
)

// EFIVariables is where Linux shows the firmware's variables.
const EFIVariables = "/sys/firmware/efi/efivars"

// LoadOption is a boot entry of UEFI firmware (EFI_LOAD_OPTION, UEFI 2.10, 3.1.3)
// that names a file on a partition of a GPT.
type LoadOption struct {
	Description string
	Partition   uint32
	Start, Size uint64 // of the partition, in sectors
	GUID        [16]byte
	Path        string // with backslashes, e.g. \EFI\debian\grubx64.efi
}

const (
	optionActive    = 1
	typeMedia       = 4 // device path nodes: UEFI 2.10, 10.3.5
	mediaHardDrive  = 1
	mediaFile       = 4
	formatGPT       = 2
	signatureGUID   = 2
	hardDriveLength = 42
)

// loadOption returns the entry for a file on the EFI system partition.
func loadOption(l disk.Layout, description, path string) (LoadOption, error) {
	esp, ok := l.Find(disk.RoleESP)
	if !ok || l.Table != disk.GPT {
		return LoadOption{}, errors.New("the disk has no EFI system partition on a GPT")
	}
	return loadOptionOf(l, esp, description, path)
}

// loadOptionOf returns the entry for a file on a partition of a GPT.
func loadOptionOf(l disk.Layout, esp disk.Partition, description, path string) (LoadOption, error) {
	guid, err := parseGUID(esp.PartUUID)
	if err != nil {
		return LoadOption{}, err
	}
	sector := uint64(l.SectorSize)
	if sector == 0 {
		return LoadOption{}, errors.New("the layout does not say how large a sector is")
	}
	return LoadOption{Description: description, Partition: uint32(esp.Number), Start: uint64(esp.Start) / sector,
		Size: uint64(esp.Size) / sector, GUID: guid, Path: path}, nil
}

// parseGUID gives a GUID's bytes in the order UEFI keeps them: the first three parts
// are little-endian.
func parseGUID(text string) (out [16]byte, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return out, fmt.Errorf("%q is no partition GUID", text)
	}
	for to, from := range []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		out[to] = raw[from]
	}
	return out, nil
}

// Encode returns the entry as the variable Boot#### holds it.
func (o LoadOption) Encode() []byte {
	le := binary.LittleEndian
	node := func(subtype byte, data []byte) []byte {
		return append(le.AppendUint16([]byte{typeMedia, subtype}, uint16(4+len(data))), data...)
	}
	drive := le.AppendUint32(nil, o.Partition)
	drive = le.AppendUint64(drive, o.Start)
	drive = le.AppendUint64(drive, o.Size)
	drive = append(drive, o.GUID[:]...)
	drive = append(drive, formatGPT, signatureGUID)
	path := append(node(mediaHardDrive, drive), node(mediaFile, text16(o.Path))...)
	path = append(path, 0x7f, 0xff, 4, 0) // the end
	out := le.AppendUint32(nil, optionActive)
	out = le.AppendUint16(out, uint16(len(path)))
	return append(append(out, text16(o.Description)...), path...)
}

func text16(s string) []byte {
	var out []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// parseLoadOption reads an entry. Of one whose device path is not a file on a
// partition of a GPT only the description is told.
func parseLoadOption(data []byte) (LoadOption, error) {
	var o LoadOption
	le := binary.LittleEndian
	if len(data) < 8 {
		return o, errors.New("the boot entry is too short")
	}
	length, rest := int(le.Uint16(data[4:])), data[6:]
	var n int
	if o.Description, n = untext16(rest); n < 0 || len(rest)-n < length {
		return o, errors.New("the boot entry is cut off")
	}
	for path := rest[n : n+length]; len(path) >= 4; {
		size := int(le.Uint16(path[2:]))
		if size < 4 || size > len(path) {
			return o, errors.New("the boot entry's device path is damaged")
		}
		switch at := path[4:size]; {
		case path[0] == typeMedia && path[1] == mediaHardDrive && size == hardDriveLength && at[36] == formatGPT && at[37] == signatureGUID:
			o.Partition, o.Start, o.Size = le.Uint32(at), le.Uint64(at[4:]), le.Uint64(at[12:])
			copy(o.GUID[:], at[20:36])
		case path[0] == typeMedia && path[1] == mediaFile:
			o.Path, _ = untext16(at)
		}
		path = path[size:]
	}
	return o, nil
}

// untext16 reads a text that ends with a zero, and how many bytes it took; -1 when
// there is no end.
func untext16(data []byte) (string, int) {
	var units []uint16
	for i := 0; i+1 < len(data); i += 2 {
		u := binary.LittleEndian.Uint16(data[i:])
		if u == 0 {
			return string(utf16.Decode(units)), i + 2
		}
		units = append(units, u)
	}
	return "", -1
}
