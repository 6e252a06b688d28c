package disk

import (
	"maps"
	"slices"
	"strings"
)

// roleInfo is what a role means in a table. The type GUIDs are those of the UEFI
// specification (5.3.3), Microsoft's list of partition types, and the Discoverable
// Partitions Specification; MBR types are the usual ones.
type roleInfo struct {
	gpt        string
	mbr        string // two hex digits; empty: GPT only
	name       string // of a GPT partition
	fs         []string
	label      string // of the file system
	least      int64  // MiB
	attributes uint64
}

// gptRequired: firmware and tools leave the partition alone; gptNoDriveLetter is
// Microsoft's.
const (
	gptRequired      = 1 << 0
	gptNoDriveLetter = 1 << 63
)

const (
	typeESP       = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	typeBIOSBoot  = "21686148-6449-6E6F-744E-656564454649"
	typeRootX64   = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
	typeRootARM64 = "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"
	typeSwap      = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
	typeLinux     = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
	typeMSR       = "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"
	typeBasicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	typeRecovery  = "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC"
)

var roles = map[Role]roleInfo{
	// FAT32 needs 65,525 clusters: 256 MiB with sectors of 4096 bytes (see leastESP).
	RoleESP:      {gpt: typeESP, mbr: "ef", name: "EFI system partition", fs: []string{FSVFAT}, label: "ESP", least: 64},
	RoleBIOSBoot: {gpt: typeBIOSBoot, name: "BIOS boot partition", fs: []string{""}, least: 1},
	RoleRoot:     {gpt: typeRootX64, mbr: "83", name: "root", fs: []string{FSExt4}, label: "root", least: 512},
	RoleSwap:     {gpt: typeSwap, mbr: "82", name: "swap", fs: []string{FSSwap}, label: "swap", least: 1},
	RoleMSR:      {gpt: typeMSR, name: "Microsoft reserved partition", fs: []string{""}, least: 16},
	RoleWindows:  {gpt: typeBasicData, mbr: "07", name: "Windows", fs: []string{FSNTFS}, label: "Windows", least: 20 << 10},
	RoleRecovery: {gpt: typeRecovery, mbr: "27", name: "Recovery", fs: []string{FSNTFS}, label: "Recovery", least: 300, attributes: gptRequired | gptNoDriveLetter},
	RoleData:     {gpt: typeLinux, mbr: "83", name: "data", fs: []string{FSExt4, FSVFAT, FSNTFS, "none"}, least: 16},
}

// leastESP is the least size in MiB of a FAT32 file system whose clusters are
// sectors of 4096 bytes.
const leastESP = 260

func roleNames() string {
	var names []string
	for _, r := range slices.Sorted(maps.Keys(roles)) {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// fsOf is a want's file system: the role's own unless said.
func fsOf(w Want) string {
	if w.FS == "" && len(roles[w.Role].fs) > 0 {
		return roles[w.Role].fs[0]
	}
	return w.FS
}

// tools are the programs that make file systems; swap areas are made without one.
var tools = map[string]string{FSVFAT: "mkfs.vfat", FSExt4: "mkfs.ext4", FSNTFS: "mkfs.ntfs"}

// ToolsFor names the programs that Prepare needs for a layout.
func ToolsFor(l Layout) []string {
	var list []string
	for _, p := range l.Partitions {
		if tool := tools[p.FS]; tool != "" && !slices.Contains(list, tool) {
			list = append(list, tool)
		}
	}
	return list
}
