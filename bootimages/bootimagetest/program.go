package bootimagetest

import "encoding/binary"

// UEFIProgram makes a small UEFI program (PE32+, x64): headers with room for further
// sections, and one section of code. It is not meant to run.
func UEFIProgram(code string) []byte {
	const start, headers, align, optional = 0x80, 0x400, 0x200, 0x80 + 4 + 20
	size := (max(len(code), 1) + align - 1) / align * align
	out := make([]byte, headers+size)
	put16 := func(at int, v uint16) { binary.LittleEndian.PutUint16(out[at:], v) }
	put32 := func(at, v int) { binary.LittleEndian.PutUint32(out[at:], uint32(v)) }
	copy(out, "MZ")
	put32(60, start)
	copy(out[start:], "PE\x00\x00\x64\x86")
	put16(start+4+2, 1)    // sections
	put16(start+4+16, 240) // size of the optional header
	put16(optional, 0x20b)
	put32(optional+32, 0x1000) // section alignment
	put32(optional+36, align)
	put32(optional+56, 0x2000) // size of the image
	put32(optional+60, headers)
	put32(optional+108, 16) // data directories
	section := optional + 240
	copy(out[section:], ".text")
	put32(section+8, len(code))
	put32(section+12, 0x1000)
	put32(section+16, size)
	put32(section+20, headers)
	copy(out[headers:], code)
	return out
}
