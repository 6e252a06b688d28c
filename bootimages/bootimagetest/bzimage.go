package bootimagetest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os/exec"
)

// BzImage describes a small kernel for x86, built as Debian's are: a UEFI program with
// a signature, and an ELF file with relocations behind it as its xz payload. The zero
// value of a field means what is usual.
type BzImage struct {
	Version  uint16   // boot protocol, 0x20f
	InitSize uint32   // 16 MiB
	BSS      string   // name of the section of zeros, .bss
	Dirty    bool     // its bytes are not all zero
	XZ       []string // how the payload is packed
	NoLength bool     // the unpacking code does not know the size
}

// Where the parts of the ELF file are.
const (
	BzText, BzTextSize = 0x200, 0x600
	BzLast             = 0x800
	BzZeros            = 0xa00
	BzElfEnd           = 0x1200
	BzSetup            = 2 * 512 // where the protected-mode part begins
	bzBase             = 0x1000000
)

// Relocations are what follows the ELF file.
const Relocations = "\x00\x00\x00\x00\x10\x20\x30\x81\x14\x20\x30\x81"

// Payload is the unpacked payload.
func (k BzImage) Payload() []byte {
	elfFile := make([]byte, BzElfEnd)
	random := rand.New(rand.NewPCG(1, 2))
	// Code thick with calls, jumps and the bytes that the branch filter looks at.
	codes := []byte{0xe8, 0xe9, 0, 0xff, 0x0f, 0x80}
	for i := range BzTextSize {
		elfFile[BzText+i] = byte(random.Uint32())
		if random.IntN(3) > 0 {
			elfFile[BzText+i] = codes[random.IntN(len(codes))]
		}
	}
	for i := BzLast; i < BzZeros; i++ {
		elfFile[i] = byte(random.IntN(4))
	}
	if k.Dirty {
		elfFile[BzElfEnd-9] = 1
	}
	bss := k.BSS
	if bss == "" {
		bss = ".bss"
	}
	const sections = 5
	names := "\x00.text\x00.data\x00.shstrtab\x00" + bss + "\x00"
	table := BzElfEnd + 64
	place(elfFile, 0, elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Entry: bzBase, Phoff: 64, Shoff: uint64(table), Ehsize: 64, Phentsize: 56, Phnum: 3, Shentsize: 64, Shnum: sections, Shstrndx: 3})
	place(elfFile, 64, []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Off: BzText, Vaddr: bzBase, Paddr: bzBase, Filesz: BzTextSize, Memsz: BzTextSize, Align: 2 << 20},
		{Type: uint32(elf.PT_LOAD), Off: BzLast, Vaddr: bzBase + 0x600, Paddr: bzBase + 0x600, Filesz: BzElfEnd - BzLast, Memsz: BzElfEnd - BzLast, Align: 2 << 20},
		{Type: uint32(elf.PT_NOTE), Off: BzText, Vaddr: bzBase, Paddr: bzBase, Filesz: 16, Memsz: 16, Align: 4},
	})
	elfFile = append(elfFile, make([]byte, 64+sections*64)...)
	copy(elfFile[BzElfEnd:], names)
	place(elfFile, table+64, []elf.Section64{
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: bzBase, Off: BzText, Size: BzTextSize},
		{Name: 7, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: bzBase + 0x600, Off: BzLast, Size: BzZeros - BzLast},
		{Name: 13, Type: uint32(elf.SHT_STRTAB), Off: BzElfEnd, Size: uint64(len(names))},
		{Name: 23, Type: uint32(elf.SHT_NOBITS), Flags: uint64(elf.SHF_ALLOC), Addr: bzBase + 0x600 + BzZeros - BzLast, Off: BzZeros, Size: BzElfEnd - BzZeros},
	})
	return append(elfFile, Relocations...)
}

// Bytes is the kernel's file. It needs the program xz.
func (k BzImage) Bytes() ([]byte, error) {
	raw := k.Payload()
	args := k.XZ
	if args == nil {
		args = []string{"--format=xz", "--check=crc32", "--x86", "--lzma2=preset=0,lc=0,lp=4,dict=32MiB"} // not the best: there must be room
	}
	cmd := exec.Command("xz", append([]string{"--stdout"}, args...)...)
	cmd.Stdin = bytes.NewReader(raw)
	payload, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("xz: %w", err)
	}
	const code = 0x2cc
	payload = binary.LittleEndian.AppendUint32(payload, uint32(len(raw)))
	out := append(make([]byte, BzSetup+code), payload...)
	if !k.NoLength {
		out = append(out, "unpacking code"...)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(payload)))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(raw)))
	}
	out = append(out, make([]byte, 16+(-len(out)&15))...)
	k.header(out, code, len(payload))
	place(out, len(out)-4, ^crc32.ChecksumIEEE(out[:len(out)-4]))
	const pe = 0x80
	place(out, pe+24+64, uint32(0xabcdef))                    // whoever signs writes the checksum
	place(out, pe+24+112+4*8, []uint32{uint32(len(out)), 16}) // and where the signature is
	return append(out, "the signature..."...), nil
}

// header writes the setup header and that of a UEFI program.
func (k BzImage) header(out []byte, offset, length int) {
	version, initSize := k.Version, k.InitSize
	if version == 0 {
		version = 0x20f
	}
	if initSize == 0 {
		initSize = 16 << 20
	}
	copy(out, "MZ")
	place(out, 0x3c, uint32(0x80))
	copy(out[0x80:], "PE\x00\x00")
	place(out, 0x80+24, uint16(0x20b))
	out[0x1f1] = BzSetup/512 - 1
	place(out, 0x1f4, uint32(len(out)-BzSetup)/16)
	place(out, 0x1fe, uint16(0xaa55))
	copy(out[0x202:], "HdrS")
	place(out, 0x206, version)
	place(out, 0x248, []uint32{uint32(offset), uint32(length)})
	place(out, 0x260, initSize)
}

func place(b []byte, at int, v any) {
	raw, err := binary.Append(nil, binary.LittleEndian, v)
	must(err)
	copy(b[at:], raw)
}
