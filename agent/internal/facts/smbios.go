package facts

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// smbios are the fields of SMBIOS structures (DSP0134) that facts are made of, by the
// names under which Linux shows them below /sys/class/dmi/id.
type smbios map[string]string

// maxStructures bounds the walk; real tables have a hundred or two.
const maxStructures = 4096

// parseSMBIOS walks a structure table of SMBIOS version major.minor. What is cut short
// ends the walk; what was read until then counts. Of several structures of a type the
// first counts.
func parseSMBIOS(table []byte, major, minor byte) smbios {
	out := smbios{}
	for range maxStructures {
		if len(table) < 4 {
			break
		}
		kind, size := table[0], int(table[1])
		if size < 4 || size > len(table) {
			break
		}
		fields := table[:size]
		texts, rest, ok := structureTexts(table[size:])
		if !ok {
			break
		}
		out.take(kind, fields, texts, major > 2 || major == 2 && minor >= 6)
		if kind == 127 { // end of table
			break
		}
		table = rest
	}
	return out
}

// structureTexts reads the strings behind a structure: each ends with a zero byte, the
// set with one more.
func structureTexts(b []byte) (texts []string, rest []byte, ok bool) {
	if len(b) >= 2 && b[0] == 0 && b[1] == 0 {
		return nil, b[2:], true
	}
	for len(b) > 0 {
		end := strings.IndexByte(string(b[:min(len(b), 4096)]), 0)
		if end < 0 {
			return nil, nil, false
		}
		if end == 0 {
			return texts, b[1:], true
		}
		texts = append(texts, strings.TrimSpace(strings.ToValidUTF8(string(b[:end]), "?")))
		b = b[end+1:]
	}
	return nil, nil, false
}

// take reads the fields of one structure.
func (m smbios) take(kind byte, b []byte, texts []string, mixed bool) {
	text := func(name string, at int) {
		if m[name] == "" && at < len(b) && b[at] > 0 && int(b[at]) <= len(texts) {
			m[name] = texts[b[at]-1]
		}
	}
	switch kind {
	case 0:
		text("bios_version", 5)
		text("bios_date", 8)
	case 1:
		text("sys_vendor", 4)
		text("product_name", 5)
		text("product_version", 6)
		text("product_serial", 7)
		text("product_sku", 0x19)
		text("product_family", 0x1a)
		if len(b) >= 24 && m["product_uuid"] == "" {
			m["product_uuid"] = smbiosUUID([16]byte(b[8:24]), mixed)
		}
	case 2:
		text("board_name", 5)
	case 3:
		text("chassis_asset_tag", 8)
		if len(b) > 5 && m["chassis_type"] == "" {
			m["chassis_type"] = strconv.Itoa(int(b[5] & 0x7f)) // the highest bit: it has a lock
		}
	}
}

// smbiosUUID writes a UUID as Linux does: from version 2.6 on the first three fields
// are little-endian. Of a device that has none it is empty.
func smbiosUUID(b [16]byte, mixed bool) string {
	if b == [16]byte{} || b == [16]byte([]byte(strings.Repeat("\xff", 16))) {
		return ""
	}
	if mixed {
		binary.BigEndian.PutUint32(b[0:], binary.LittleEndian.Uint32(b[0:]))
		binary.BigEndian.PutUint16(b[4:], binary.LittleEndian.Uint16(b[4:]))
		binary.BigEndian.PutUint16(b[6:], binary.LittleEndian.Uint16(b[6:]))
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// parseRawSMBIOS reads what GetSystemFirmwareTable('RSMB') gives: RawSMBIOSData, eight
// bytes of header before the structure table (Windows SDK, "GetSystemFirmwareTable").
func parseRawSMBIOS(b []byte) smbios {
	if len(b) < 8 {
		return smbios{}
	}
	size := binary.LittleEndian.Uint32(b[4:])
	table := b[8:]
	if uint64(size) < uint64(len(table)) {
		table = table[:size]
	}
	return parseSMBIOS(table, b[1], b[2])
}

// hardware sets the facts that come from SMBIOS; field gives a field by the name that
// Linux has for it.
func (f Facts) hardware(field func(name string) string) {
	get := func(name string) string { return clean(field(name)) }
	f.set("Manufacturer", get("sys_vendor"))
	f.set("Make", get("sys_vendor"))
	f.set("Model", get("product_name"))
	f.set("Product", get("board_name"))
	f.set("BaseBoardProduct", get("board_name"))
	f.set("SystemSku", get("product_sku"))
	f.set("SerialNumber", get("product_serial"))
	f.set("AssetTag", get("chassis_asset_tag"))
	f.set("UUID", strings.ToLower(get("product_uuid")))
	f.set("MakeAlias", makeAlias(f["Make"]))
	f.set("ModelAlias", modelAlias(f["MakeAlias"], f["Model"], f["BaseBoardProduct"]))
	f.set("SystemAlias", systemAlias(f["MakeAlias"], f["BaseBoardProduct"]))
	f.set("SystemFamily", get("product_family"))
	f.set("SystemVersion", get("product_version")) // Lenovo writes the name on the lid here
	f.set("BIOSVersion", get("bios_version"))
	f.set("BIOSDate", get("bios_date"))
	f.chassis(get("chassis_type"))
}
