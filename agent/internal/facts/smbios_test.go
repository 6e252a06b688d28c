package facts

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// structure is an SMBIOS structure with its strings.
func structure(kind byte, fields []byte, texts ...string) []byte {
	b := append([]byte{kind, byte(4 + len(fields)), 0, 0}, fields...)
	for _, text := range texts {
		b = append(b, text+"\x00"...)
	}
	if len(texts) == 0 {
		b = append(b, 0)
	}
	return append(b, 0)
}

// table is what GetSystemFirmwareTable gives of a ThinkPad.
func rawTable(major, minor byte) []byte {
	uuid := []byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	system := append([]byte{1, 2, 3, 4}, uuid...)
	system = append(system, 6, 5, 6)
	table := bytes.Join([][]byte{
		structure(0, []byte{1, 2, 0, 0, 3}, "LENOVO", "N2HET63W", "05/12/2026"),
		structure(1, system, "LENOVO", "20XW004FGE", "ThinkPad X1", "PF2ABC12", "LENOVO_MT_20XW", "ThinkPad X1 Carbon"),
		structure(2, []byte{1, 2}, "LENOVO", "20XW004FGE"),
		structure(3, []byte{1, 0x80 | 10, 2, 3, 4}, "LENOVO", "None", "PF2ABC12", "No Asset"),
		structure(127, nil),
	}, nil)
	head := []byte{0, major, minor, 0, 0, 0, 0, 0}
	binary.LittleEndian.PutUint32(head[4:], uint32(len(table)))
	return append(head, table...)
}

func TestSMBIOSOfWindows(t *testing.T) {
	f := Facts{}
	fields := parseRawSMBIOS(rawTable(3, 2))
	f.hardware(func(name string) string { return fields[name] })
	for name, want := range map[string]string{"Manufacturer": "LENOVO", "MakeAlias": "Lenovo", "Model": "20XW004FGE", "ModelAlias": "20XW",
		"SerialNumber": "PF2ABC12", "UUID": "33221100-5544-7766-8899-aabbccddeeff", "SystemVersion": "ThinkPad X1", "SystemSku": "LENOVO_MT_20XW",
		"SystemFamily": "ThinkPad X1 Carbon", "BIOSVersion": "N2HET63W", "BIOSDate": "05/12/2026", "IsLaptop": "True", "Product": "20XW004FGE"} {
		if f[name] != want {
			t.Errorf("%s is %q, want %q", name, f[name], want)
		}
	}
	if got := parseRawSMBIOS(rawTable(2, 5))["product_uuid"]; got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("before version 2.6 the UUID is %q", got)
	}
	if got := smbiosUUID([16]byte([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), true); got != "" {
		t.Errorf("no UUID is %q", got)
	}
}

// The parser agrees with what the kernel made of this machine's own table.
func TestSMBIOSAsLinuxReadsIt(t *testing.T) {
	table, err := os.ReadFile("/sys/firmware/dmi/tables/DMI")
	entry, err2 := os.ReadFile("/sys/firmware/dmi/tables/smbios_entry_point")
	if err != nil || err2 != nil || len(entry) < 9 {
		t.Skip("this machine shows no SMBIOS table to this user")
	}
	major, minor := entry[6], entry[7]
	if bytes.HasPrefix(entry, []byte("_SM3_")) {
		major, minor = entry[7], entry[8]
	}
	for name, got := range parseSMBIOS(table, major, minor) {
		if want := read(os.DirFS("/"), "sys/class/dmi/id/"+name); want != "" && got != want {
			t.Errorf("%s is %q, Linux says %q", name, got, want)
		}
	}
}

func FuzzSMBIOS(f *testing.F) {
	f.Add(rawTable(3, 2))
	f.Add([]byte{})
	f.Add([]byte{0, 3, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 4, 0, 0, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) { parseRawSMBIOS(b) })
}
