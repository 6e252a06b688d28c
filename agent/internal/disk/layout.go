package disk

import (
	"encoding/json"
	"errors"
	"fmt"
)

// TargetVariable is the read-only variable that holds the target disk's id.
const TargetVariable = "_TargetDisk"

// LayoutFormat is the format number of a Layout's JSON form.
const LayoutFormat = 1

// Firmware is what starts the machine.
type Firmware string

// The firmwares.
const (
	UEFI Firmware = "uefi"
	BIOS Firmware = "bios"
)

// TableKind is a kind of partition table.
type TableKind string

// The kinds of partition tables. Whole says that a file system begins at the disk's
// first sector and there is none.
const (
	GPT   TableKind = "gpt"
	MBR   TableKind = "mbr"
	Whole TableKind = "none"
)

// Role is what a partition is for.
type Role string

// The roles.
const (
	RoleESP      Role = "esp"      // EFI system partition
	RoleBIOSBoot Role = "biosboot" // where GRUB's core lies on a GPT
	RoleRoot     Role = "root"
	RoleSwap     Role = "swap"
	RoleMSR      Role = "msr" // Microsoft reserved
	RoleWindows  Role = "windows"
	RoleRecovery Role = "recovery"
	RoleData     Role = "data"
)

// The file systems by the kernel's names.
const (
	FSVFAT = "vfat"
	FSExt4 = "ext4"
	FSSwap = "swap"
	FSNTFS = "ntfs"
	FSXFS  = "xfs"
)

// Layout is a partition table with its file systems, planned or found on a disk.
type Layout struct {
	Format     int         `json:"format"` // LayoutFormat
	Disk       string      `json:"disk"`   // Disk.ID
	Firmware   Firmware    `json:"firmware,omitempty"`
	Table      TableKind   `json:"table"`
	TableID    string      `json:"tableId,omitempty"`  // disk GUID in upper case, or MBR signature as 8 hex digits
	SectorSize int         `json:"sectorSize"`         // logical, bytes
	DiskSize   int64       `json:"diskSize,omitempty"` // of the disk that it was planned for, bytes; 0: not known
	Partitions []Partition `json:"partitions"`
}

// Partition is one partition of a layout. Start and Size are bytes.
type Partition struct {
	Number     int    `json:"number"`
	Role       Role   `json:"role"`
	Type       string `json:"type"`           // GPT: type GUID in upper case; MBR: two hex digits
	Name       string `json:"name,omitempty"` // GPT only
	Start      int64  `json:"start"`
	Size       int64  `json:"size"`
	Attributes uint64 `json:"attributes,omitempty"` // GPT only
	Active     bool   `json:"active,omitempty"`     // MBR only
	FS         string `json:"fs,omitempty"`         // empty: none
	Label      string `json:"label,omitempty"`      // of the file system
	UUID       string `json:"uuid,omitempty"`       // of the file system, as UUID= in fstab has it
	PartUUID   string `json:"partuuid,omitempty"`   // as PARTUUID= has it: lower case
}

// End is the first byte after the partition.
func (p Partition) End() int64 { return p.Start + p.Size }

// Find returns the first partition with this role.
func (l Layout) Find(role Role) (Partition, bool) {
	for _, p := range l.Partitions {
		if p.Role == role {
			return p, true
		}
	}
	return Partition{}, false
}

// Partition returns the partition with this number.
func (l Layout) Partition(number int) (Partition, bool) {
	for _, p := range l.Partitions {
		if p.Number == number {
			return p, true
		}
	}
	return Partition{}, false
}

// Text is the layout's JSON form, for tasksequence.VariableTargetLayout.
func (l Layout) Text() string {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return string(text)
}

// ErrNoTarget says that no step has laid out a target disk yet.
var ErrNoTarget = errors.New("there is no target disk yet: a Format disk step has to come before this step")

// ParseLayout reads tasksequence.VariableTargetLayout. An empty text gives ErrNoTarget.
func ParseLayout(text string) (Layout, error) {
	var l Layout
	if text == "" {
		return l, ErrNoTarget
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, fmt.Errorf("read the target's layout: %w", err)
	}
	if l.Format != LayoutFormat {
		return l, fmt.Errorf("the target's layout has format %d, this agent knows %d: rebuild the boot image", l.Format, LayoutFormat)
	}
	return l, nil
}
