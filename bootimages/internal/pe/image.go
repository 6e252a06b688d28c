package pe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrFormat says that bytes are not a program this package can work with.
var ErrFormat = errors.New("not a UEFI program")

// Offsets of fields, from the start of their header.
const (
	coffSections     = 2  // COFF header: number of sections
	coffSymbols      = 8  // pointer to the symbol table, then the number of symbols
	coffOptionalSize = 16 // size of the optional header
	coffSize         = 20

	optInitialized   = 8 // optional header (PE32+)
	optSectionAlign  = 32
	optFileAlign     = 36
	optImageSize     = 56
	optHeadersSize   = 60
	optChecksum      = 64
	optDirectories   = 108 // number of data directories, which follow
	optSecurity      = optDirectories + 4 + 4*8
	sectionSize      = 40
	magicPE32Plus    = 0x20b
	maxSections      = 96 // as Windows and EDK2 bound it
	maxProgram       = 1 << 30
	initializedRead  = 0x40000040 // a section's characteristics: initialised data, readable
	pageSize         = 4096
	minOptionalBytes = optSecurity + 8
)

// Image is a parsed program. Its slices share the bytes it was parsed from.
type Image struct {
	raw      []byte
	optional int // offset of the optional header
	table    int // offset of the section table
	headers  int // SizeOfHeaders
	end      int // of the last section in the file: where signatures begin
	sections []section
}

// section is an entry of the section table.
type section struct {
	name                                     string
	virtualSize, address, rawSize, rawOffset uint32
}

// Parse reads a program.
func Parse(raw []byte) (*Image, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	if len(raw) < 64 || len(raw) > maxProgram || raw[0] != 'M' || raw[1] != 'Z' {
		return nil, bad("no MZ header")
	}
	start := int(binary.LittleEndian.Uint32(raw[60:]))
	if start < 64 || start > len(raw)-4-coffSize || string(raw[start:start+4]) != "PE\x00\x00" {
		return nil, bad("no PE header")
	}
	coff := start + 4
	count := int(binary.LittleEndian.Uint16(raw[coff+coffSections:]))
	optionalSize := int(binary.LittleEndian.Uint16(raw[coff+coffOptionalSize:]))
	p := &Image{raw: raw, optional: coff + coffSize, table: coff + coffSize + optionalSize}
	if optionalSize < minOptionalBytes || count > maxSections || p.table+count*sectionSize > len(raw) {
		return nil, bad("truncated headers")
	}
	if binary.LittleEndian.Uint16(raw[p.optional:]) != magicPE32Plus || p.uint32(optDirectories) < 5 {
		return nil, bad("not a 64 bit program")
	}
	p.headers = int(p.uint32(optHeadersSize))
	if p.headers > len(raw) || p.headers < p.table+count*sectionSize {
		return nil, bad("headers of %d bytes", p.headers)
	}
	for i := range count {
		p.sections = append(p.sections, readSection(raw[p.table+i*sectionSize:]))
	}
	return p, p.findEnd()
}

func readSection(b []byte) section {
	name := b[:8]
	if i := slices.Index(name, 0); i >= 0 {
		name = name[:i]
	}
	u := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	return section{name: string(name), virtualSize: u(8), address: u(12), rawSize: u(16), rawOffset: u(20)}
}

// findEnd checks that the sections follow the headers and one another.
func (p *Image) findEnd() error {
	order := slices.Clone(p.sections)
	slices.SortStableFunc(order, func(a, b section) int { return cmp.Compare(a.rawOffset, b.rawOffset) })
	p.end = p.headers
	for _, s := range order {
		if s.rawSize == 0 {
			continue
		}
		if int64(s.rawOffset) != int64(p.end) {
			return fmt.Errorf("%w: section %q is at %d of the file, not at %d", ErrFormat, s.name, s.rawOffset, p.end)
		}
		if int64(s.rawOffset)+int64(s.rawSize) > int64(len(p.raw)) {
			return fmt.Errorf("%w: section %q is cut short", ErrFormat, s.name)
		}
		p.end += int(s.rawSize)
	}
	return nil
}

// uint32 reads a field of the optional header.
func (p *Image) uint32(at int) uint32 {
	return binary.LittleEndian.Uint32(p.raw[p.optional+at:])
}

// Section returns the content of a section as it is loaded, without the padding.
func (p *Image) Section(name string) ([]byte, bool) {
	for _, s := range p.sections {
		if s.name == name && s.rawSize == 0 { // its place in the file means nothing
			return nil, true
		}
		if s.name == name {
			return p.raw[s.rawOffset:][:min(s.rawSize, s.virtualSize)], true
		}
	}
	return nil, false
}
