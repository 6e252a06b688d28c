package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ataSecurity is what an ATA disk says of the commands by which it erases itself.
type ataSecurity struct {
	Supported, Enhanced      bool // SECURITY ERASE UNIT
	Enabled, Locked, Frozen  bool
	CountExpired             bool // too many wrong passwords
	Minutes, EnhancedMinutes int  // that it says it takes; 0: not said
	Sanitize                 bool // SANITIZE DEVICE
}

var errATAIdentify = errors.New("the disk's description of itself is damaged")

// parseATA reads IDENTIFY DEVICE (ACS-4, 7.13.6): word 59 (sanitize), 82 and 128
// (security), 89 and 90 (how long an erase takes, in units of two minutes).
func parseATA(b []byte) (ataSecurity, error) {
	if len(b) < 512 {
		return ataSecurity{}, errATAIdentify
	}
	word := func(n int) uint16 { return binary.LittleEndian.Uint16(b[2*n:]) }
	if word(0)&(1<<15) != 0 { // that is no ATA disk
		return ataSecurity{}, errATAIdentify
	}
	minutes := func(w uint16) int {
		if w&(1<<15) != 0 { // the newer form has 15 bits
			return int(w&0x7fff) * 2
		}
		return int(w&0xff) * 2
	}
	state := word(128)
	return ataSecurity{
		Supported: word(82)&(1<<1) != 0 && state&(1<<0) != 0, Enhanced: state&(1<<5) != 0,
		Enabled: state&(1<<1) != 0, Locked: state&(1<<2) != 0, Frozen: state&(1<<3) != 0, CountExpired: state&(1<<4) != 0,
		Minutes: minutes(word(89)), EnhancedMinutes: minutes(word(90)), Sanitize: word(59)&(1<<12) != 0,
	}, nil
}

// String tells people what the disk has, and in what state it is.
func (s ataSecurity) String() string {
	var has []string
	switch {
	case s.Supported && s.Enhanced:
		has = append(has, "ATA secure erase, also enhanced")
	case s.Supported:
		has = append(has, "ATA secure erase")
	default:
		has = append(has, "no ATA secure erase")
	}
	if s.Sanitize {
		has = append(has, "ATA sanitize")
	}
	for _, one := range []struct {
		is   bool
		text string
	}{{s.Supported && s.Frozen, "frozen by the firmware: it takes no erase until it was without power (sleep and wake the machine, or plug the disk in anew)"},
		{s.Enabled, "a password is set"}, {s.Locked, "locked"}, {s.CountExpired, "too many wrong passwords"}} {
		if one.is {
			has = append(has, one.text)
		}
	}
	if s.Supported && s.Minutes > 0 {
		has = append(has, fmt.Sprintf("an erase takes %d min by its own word", s.Minutes))
	}
	return strings.Join(has, "; ")
}

const ataIdentify = 0xec

// ataIdentifyCommand is IDENTIFY DEVICE in an ATA PASS-THROUGH (16) command (SAT-3,
// 12.2.3): PIO data in, one block of 512 bytes, its count in the count field.
func ataIdentifyCommand() []byte {
	return []byte{0x85, 4 << 1, 0x0e, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ataIdentify, 0}
}
