package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The admin commands that a wipe uses (NVM Express Base Specification 2.0c, 5.1).
const (
	nvmeIdentify = 0x06
	nvmeFormat   = 0x80
)

// What Identify returns, its field CNS (Base Specification 2.0c, figure 273).
const (
	cnsNamespace  = 0x00
	cnsController = 0x01
	cnsActive     = 0x02 // ids of the namespaces that this controller shows
	cnsAllocated  = 0x10 // ids of all of the subsystem; only with namespace management
)

// The secure erase settings of Format NVM (Base Specification 2.0c, figure 189).
const (
	eraseUserData = 1
	eraseCrypto   = 2
)

const (
	identifyBytes  = 4096
	nvmeShort      = 60 * time.Second
	nvmeFormatTime = 2 * time.Hour // the kernel resets the controller after it; most need seconds
)

// nvmeCommand is one admin command.
type nvmeCommand struct {
	opcode    byte
	namespace uint32
	cdw10     uint32
	timeout   time.Duration
}

// nvmeDevice sends admin commands to the controller of one namespace.
type nvmeDevice interface {
	Namespace() (uint32, error) // id of the namespace that the disk is
	// Admin sends a command and fills data with what the controller returns. A
	// status that is no success is an nvmeStatus.
	Admin(c nvmeCommand, data []byte) error
}

// nvmeStatus is a status code that a controller answered with: bits 10:8 are its
// type, 7:0 its value (Base Specification 2.0c, 3.3.3.2.1).
type nvmeStatus uint16

// Error implements error.
func (s nvmeStatus) Error() string {
	known := map[nvmeStatus]string{0x001: "invalid command opcode", 0x002: "invalid field in the command", 0x006: "internal error",
		0x00b: "invalid namespace or format", 0x015: "operation denied", 0x01d: "sanitize in progress", 0x020: "namespace is write protected",
		0x084: "format in progress", 0x10a: "invalid format", 0x286: "access denied"}
	text := fmt.Sprintf("the controller answered with status 0x%x", uint16(s&0x7ff))
	if name := known[s&0x7ff]; name != "" {
		text += " (" + name + ")"
	}
	return text
}

// nvmeAbilities is what a controller says it can erase.
type nvmeAbilities struct {
	Format         bool // Format NVM
	FormatAll      bool // a format reaches all namespaces
	EraseAll       bool // a secure erase reaches all namespaces
	Crypto         bool // Format NVM can erase by a new key
	ManagesSpaces  bool // namespaces may exist that no disk shows
	SanitizeCrypto bool
	SanitizeBlock  bool
	SanitizeWrite  bool
}

// String tells people what the controller can do.
func (a nvmeAbilities) String() string {
	var can []string
	for _, one := range []struct {
		is   bool
		name string
	}{{a.Format, "Format"}, {a.Format && a.Crypto, "Format with cryptographic erase"}, {a.SanitizeBlock, "Sanitize block erase"},
		{a.SanitizeCrypto, "Sanitize cryptographic erase"}, {a.SanitizeWrite, "Sanitize overwrite"}} {
		if one.is {
			can = append(can, one.name)
		}
	}
	if len(can) == 0 {
		return "no command that erases"
	}
	return strings.Join(can, ", ")
}

var errIdentify = errors.New("the controller's description of itself is damaged")

// parseController reads Identify Controller (Base Specification 2.0c, figure 275):
// OACS in bytes 257:256, SANICAP in 331:328, FNA in 524.
func parseController(b []byte) (nvmeAbilities, error) {
	if len(b) < identifyBytes {
		return nvmeAbilities{}, errIdentify
	}
	optional, sanitize, format := binary.LittleEndian.Uint16(b[256:]), binary.LittleEndian.Uint32(b[328:]), b[524]
	return nvmeAbilities{
		Format: optional&(1<<1) != 0, ManagesSpaces: optional&(1<<3) != 0,
		FormatAll: format&(1<<0) != 0, EraseAll: format&(1<<1) != 0, Crypto: format&(1<<2) != 0,
		SanitizeCrypto: sanitize&(1<<0) != 0, SanitizeBlock: sanitize&(1<<1) != 0, SanitizeWrite: sanitize&(1<<2) != 0,
	}, nil
}

// nvmeFormatting is how a namespace is formatted now: a wipe keeps it.
type nvmeFormatting struct {
	Sectors    uint64
	SectorSize int
	index      byte // of the LBA format
	extended   bool // metadata lies behind each sector's data
	protection byte // type of the protection information, and where it lies
}

// parseNamespace reads Identify Namespace (NVM Command Set Specification 1.0c, figure
// 97): NSZE in bytes 7:0, NLBAF in 25, FLBAS in 26, DPS in 29, LBA formats from 128.
func parseNamespace(b []byte) (nvmeFormatting, error) {
	if len(b) < identifyBytes {
		return nvmeFormatting{}, errIdentify
	}
	f := nvmeFormatting{Sectors: binary.LittleEndian.Uint64(b), index: b[26] & 0xf, extended: b[26]&(1<<4) != 0, protection: b[29] & 0xf}
	if b[25] >= 16 { // then two more bits of the index are in use
		f.index |= b[26] >> 5 & 3 << 4
	}
	shift := b[128+4*int(f.index)+2]
	if f.index > b[25] || shift < 9 || shift > 16 {
		return nvmeFormatting{}, errIdentify
	}
	f.SectorSize = 1 << shift
	return f, nil
}

// command is CDW10 of a Format NVM that keeps the namespace as it is formatted (Base
// Specification 2.0c, figure 189).
func (f nvmeFormatting) command(erase uint32) uint32 {
	out := uint32(f.index&0xf) | uint32(f.index>>4)<<12 | erase<<9
	if f.extended {
		out |= 1 << 4
	}
	return out | uint32(f.protection&7)<<5 | uint32(f.protection>>3&1)<<8
}

// namespaceIDs reads a list of namespace ids, which ends with 0.
func namespaceIDs(b []byte) []uint32 {
	var ids []uint32
	for ; len(b) >= 4; b = b[4:] {
		id := binary.LittleEndian.Uint32(b)
		if id == 0 {
			break
		}
		ids = append(ids, id)
	}
	return ids
}
