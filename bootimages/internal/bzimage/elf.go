package bzimage

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Fields of an ELF header and of a program header, 64 bit.
const (
	elfProgramOffset = 32
	elfSectionOffset = 40
	elfProgramSize   = 54
	elfSectionSize   = 58 // size, number, and which one holds the names
	elfSectionCount  = 60
	elfHeaderEnd     = 64
	programFileSize  = 32
	programHeader    = 56
	loadAlign        = 2 << 20 // misc.c refuses other segments
)

// layout is where the parts of an unpacked payload are.
type layout struct {
	text, textEnd int
	zeros         int // start of the last segment's part that the kernel clears
	relocations   int // behind the ELF file, to the end
	lastHeader    int // program header of the last segment
	lastStart     int
}

// readLayout understands the payload, or refuses it.
func readLayout(raw []byte) (*layout, error) {
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, unknown("payload is not ELF: %v", err)
	}
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || f.Machine != elf.EM_X86_64 || f.Type != elf.ET_EXEC ||
		binary.LittleEndian.Uint16(raw[elfProgramSize:]) != programHeader {
		return nil, unknown("payload is %v for %v", f.Type, f.Machine)
	}
	l := &layout{}
	last := -1
	for i, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if p.Filesz > uint64(len(raw)) || p.Off > uint64(len(raw))-p.Filesz || last >= 0 && p.Off < f.Progs[last].Off+f.Progs[last].Filesz {
			return nil, unknown("segment %d at %#x", i, p.Off)
		}
		last = i
	}
	if last < 0 {
		return nil, unknown("payload has no segments")
	}
	l.lastHeader = int(binary.LittleEndian.Uint64(raw[elfProgramOffset:])) + last*programHeader
	l.lastStart = int(f.Progs[last].Off)
	if err := l.findZeros(f, f.Progs[last], raw); err != nil {
		return nil, err
	}
	return l, l.checkLoading(f, last)
}

// findZeros finds .text, the start of .bss in the file and the relocations. Only
// what the kernel clears by itself (.bss and .brk: clear_bss) or uses as scratch may
// be left out.
func (l *layout) findZeros(f *elf.File, segment *elf.Prog, raw []byte) error {
	bss, text := f.Section(".bss"), f.Section(".text")
	if bss == nil || text == nil || bss.Type != elf.SHT_NOBITS || bss.Addr < segment.Vaddr || bss.Addr-segment.Vaddr > segment.Filesz {
		return unknown("no zeros in the payload")
	}
	l.zeros = l.lastStart + int(bss.Addr-segment.Vaddr)
	l.text, l.textEnd = int(text.Offset), int(text.Offset+text.Size)
	if text.Type != elf.SHT_PROGBITS || text.Offset > uint64(l.lastStart) || text.Size > uint64(l.lastStart) || l.textEnd > l.lastStart || l.text < elfHeaderEnd {
		return unknown(".text at %#x", text.Offset)
	}
	if l.lastHeader+programHeader > l.zeros { // it is rewritten in what is left
		return unknown("program headers at %#x", l.lastHeader)
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Addr >= bss.Addr && s.Name != ".bss" && s.Name != ".brk" && s.Name != ".init.scratch" {
			return unknown("section %s behind .bss", s.Name)
		}
		if s.Type != elf.SHT_NOBITS {
			l.relocations = max(l.relocations, int(s.Offset+s.FileSize))
		}
	}
	table := binary.LittleEndian.Uint64(raw[elfSectionOffset:])
	count, size := binary.LittleEndian.Uint16(raw[elfSectionCount:]), binary.LittleEndian.Uint16(raw[elfSectionSize:])
	segmentEnd := l.lastStart + int(segment.Filesz)
	if table > uint64(len(raw)) || int(table) < segmentEnd {
		return unknown("section table at %#x", table)
	}
	l.relocations = max(l.relocations, segmentEnd, int(table)+int(count)*int(size))
	if l.relocations > len(raw) || (len(raw)-l.relocations)%4 != 0 || l.zeros%4 != 0 || len(bytes.Trim(raw[l.zeros:segmentEnd], "\x00")) != 0 {
		return unknown("relocations at %#x, zeros at %#x", l.relocations, l.zeros)
	}
	return nil
}

// checkLoading follows parse_elf in misc.c: segments move down to where they run,
// one after the other, and must not reach the relocations, which are read last.
func (l *layout) checkLoading(f *elf.File, last int) error {
	var base uint64
	for i, p := range f.Progs[:last+1] {
		if p.Type != elf.PT_LOAD {
			continue
		}
		if base == 0 {
			base = p.Paddr
		}
		size := p.Filesz
		if i == last {
			size = uint64(l.zeros) - p.Off
		}
		if p.Align%loadAlign != 0 || p.Paddr < base || p.Paddr-base > p.Off || p.Paddr-base+size > uint64(l.zeros) {
			return unknown("segment %d loads to %#x", i, p.Paddr)
		}
	}
	return nil
}

// cut returns the payload without the zeros and without the section table, which
// nothing reads. The relocations follow at once.
func cut(raw []byte, l *layout) []byte {
	out := append(bytes.Clone(raw[:l.zeros]), raw[l.relocations:]...)
	binary.LittleEndian.PutUint64(out[l.lastHeader+programFileSize:], uint64(l.zeros-l.lastStart))
	binary.LittleEndian.PutUint64(out[elfSectionOffset:], 0)
	clear(out[elfSectionCount:elfHeaderEnd])
	return out
}
