package bzimage

import (
	"encoding/binary"
	"math/bits"
)

// decodeX86 undoes the branch filter for x86 code (filter 4 of the .xz format), in
// place: the targets of CALL and JMP, absolute in the filtered code, become
// relative again. The filter leaves a target alone whose top byte is neither 00 nor
// FF, and is careful where opcodes lie within the four bytes before; mask has a bit
// for each of those, the nearest lowest.
func decodeX86(b []byte) {
	sign := func(v byte) bool { return v == 0 || v == 0xff }
	last, mask := -1, uint(0)
	for i := 0; i+4 < len(b); i++ {
		if b[i]&0xfe != 0xe8 {
			continue
		}
		if gap := i - last; gap > 3 {
			mask = 0
		} else if mask = mask << (gap - 1) & 7; mask != 0 {
			if !startsCode(mask) || sign(b[i+4-maskByte(mask)]) {
				last, mask = i, mask<<1|1
				continue
			}
		}
		last = i
		if !sign(b[i+4]) {
			mask = mask<<1 | 1
			continue
		}
		binary.LittleEndian.PutUint32(b[i+1:], relative(binary.LittleEndian.Uint32(b[i+1:]), uint32(i+5), mask))
		i += 4
	}
}

// startsCode: may an opcode that follows others in this pattern be one?
func startsCode(mask uint) bool { return mask == 0 || mask == 1 || mask == 2 || mask == 4 }

// maskByte is the number of the operand's byte, from the top, that an earlier opcode
// reaches into.
func maskByte(mask uint) int {
	return bits.Len(mask)
}

// relative computes a relative target of 25 bits with its sign extended.
func relative(target, next uint32, mask uint) uint32 {
	out := target - next
	for mask != 0 {
		shift := maskByte(mask) * 8
		if top := byte(out >> (24 - shift)); top != 0 && top != 0xff {
			break
		}
		target = out ^ (1<<(32-shift) - 1)
		out = target - next
	}
	out &= 0x01ffffff
	return out | -(out & 0x01000000)
}
