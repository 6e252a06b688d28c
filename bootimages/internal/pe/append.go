package pe

import (
	"encoding/binary"
	"fmt"
)

// Section is a section to add to a program.
type Section struct {
	Name    string // at most 8 bytes
	Content []byte
}

// Append returns the program with further read-only sections behind its own, each
// at the start of a page, or of what the program aligns its sections to where that is
// more. Signatures it had are dropped: they no longer hold.
func Append(program []byte, add []Section) ([]byte, error) {
	p, err := Parse(program)
	if err != nil {
		return nil, err
	}
	fileAlign := int(p.uint32(optFileAlign))
	if fileAlign < 8 || fileAlign > 1<<16 || fileAlign&(fileAlign-1) != 0 || p.end%fileAlign != 0 {
		return nil, fmt.Errorf("%w: file alignment %d", ErrFormat, fileAlign)
	}
	sectionAlign := max(int(p.uint32(optSectionAlign)), pageSize)
	if sectionAlign > 1<<20 || sectionAlign&(sectionAlign-1) != 0 {
		return nil, fmt.Errorf("%w: section alignment %d", ErrFormat, sectionAlign)
	}
	if room := p.headers - p.table - len(p.sections)*sectionSize; len(add)*sectionSize > room {
		return nil, fmt.Errorf("%w: no room for %d more sections in its headers", ErrFormat, len(add))
	}
	total, address := p.end, sectionAlign
	for _, s := range p.sections {
		address = max(address, int(s.address)+int(max(s.virtualSize, s.rawSize)))
	}
	for _, s := range add {
		total += align(len(s.Content), fileAlign)
	}
	if total > maxProgram || address > maxProgram {
		return nil, fmt.Errorf("%w: it would have %d bytes", ErrFormat, total)
	}
	out := make([]byte, total)
	copy(out, p.raw[:p.end])
	at, added := p.end, 0
	for i, s := range add {
		if s.Name == "" || len(s.Name) > 8 || len(s.Content) == 0 {
			return nil, fmt.Errorf("%w: section %q of %d bytes", ErrFormat, s.Name, len(s.Content))
		}
		address = align(address, sectionAlign)
		size := align(len(s.Content), fileAlign)
		writeSection(out[p.table+(len(p.sections)+i)*sectionSize:], s.Name, len(s.Content), address, size, at)
		copy(out[at:], s.Content)
		at, added, address = at+size, added+size, address+len(s.Content)
	}
	p.finish(out, len(add), added, align(address, sectionAlign))
	return out, nil
}

func writeSection(b []byte, name string, virtualSize, address, rawSize, rawOffset int) {
	clear(b[:sectionSize])
	copy(b, name)
	for i, v := range []int{virtualSize, address, rawSize, rawOffset} {
		binary.LittleEndian.PutUint32(b[8+4*i:], uint32(v))
	}
	binary.LittleEndian.PutUint32(b[36:], initializedRead)
}

// finish corrects the headers of out for the sections added.
func (p *Image) finish(out []byte, count, bytes, imageSize int) {
	put := func(at, v int) { binary.LittleEndian.PutUint32(out[p.optional+at:], uint32(v)) }
	coff := p.optional - coffSize
	binary.LittleEndian.PutUint16(out[coff+coffSections:], uint16(len(p.sections)+count))
	clear(out[coff+coffSymbols : coff+coffSymbols+8]) // debugging symbols stood behind the sections
	put(optInitialized, int(p.uint32(optInitialized))+bytes)
	put(optImageSize, imageSize)
	put(optSecurity, 0)
	put(optSecurity+4, 0)
	setChecksum(out, p.optional+optChecksum)
}

// setChecksum writes the checksum of the image: the one's complement sum of its
// words with the field itself left out, plus the length (as CheckSumMappedFile).
func setChecksum(out []byte, field int) {
	clear(out[field : field+4])
	var sum uint32
	for i := 0; i < len(out); i += 2 {
		word := uint32(out[i])
		if i+1 < len(out) {
			word |= uint32(out[i+1]) << 8
		}
		sum += word
		sum = sum&0xffff + sum>>16
	}
	binary.LittleEndian.PutUint32(out[field:], sum+uint32(len(out)))
}

func align(n, to int) int { return (n + to - 1) / to * to }
