package bootimagetest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Module makes an ELF object whose .modinfo section holds the text: fields
// "key=value", each ended by NUL. It ends like a signed module.
func Module(modinfo string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	const headerSize, sectionSize = 64, 64
	infoAt := uint64(headerSize)
	namesAt := infoAt + uint64(len(modinfo))
	sectionsAt := namesAt + uint64(len(names))
	var b bytes.Buffer
	h := header(elf.ET_REL)
	h.Shoff, h.Shentsize, h.Shnum, h.Shstrndx = sectionsAt, sectionSize, 3, 2
	put(&b, h)
	b.WriteString(modinfo + names)
	put(&b, elf.Section64{})
	put(&b, elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: infoAt, Size: uint64(len(modinfo)), Addralign: 1})
	put(&b, elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names)), Addralign: 1})
	b.WriteString("~Module signature appended~\n")
	return b.Bytes()
}

// Program makes an ELF header that passes for a static x64 program. With interp it
// names a dynamic loader.
func Program(interp bool) []byte {
	var b bytes.Buffer
	h := header(elf.ET_EXEC)
	if interp {
		h.Phoff, h.Phentsize, h.Phnum = 64, 56, 1
	}
	put(&b, h)
	if interp {
		put(&b, elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: 1})
		b.WriteByte(0)
	}
	return b.Bytes()
}

func header(t elf.Type) elf.Header64 {
	return elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(t), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64}
}

func put(b *bytes.Buffer, v any) { must(binary.Write(b, binary.LittleEndian, v)) }
