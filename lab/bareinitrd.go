package lab

import (
	"bytes"
	"encoding/binary"
	"os"
)

// BareInitrd makes an initramfs whose /init says one word on its console and then
// waits: the least that a kernel can be asked to start.
func (r *Run) BareInitrd(word string) (string, error) {
	a := archive{}
	a.add("init", modeExec, sayProgram(word+"\n"))
	var b bytes.Buffer
	if err := a.write(&b); err != nil {
		return "", err
	}
	path := r.Path("bare.initrd")
	return path, os.WriteFile(path, b.Bytes(), 0o644)
}

// sayProgram is an ELF file for x86-64 (System V ABI, ELF-64 object file format 1.5)
// with one segment: headers, code, text.
func sayProgram(text string) []byte {
	const base, headers = 0x400000, 64 + 56
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov $1, %eax: write
		0xbf, 1, 0, 0, 0, // mov $1, %edi
		0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea text(%rip), %rsi
		0xba, byte(len(text)), 0, 0, 0, // mov $len, %edx
		0x0f, 0x05, // syscall
		0xb8, 34, 0, 0, 0, // again: mov $34, %eax: pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp again
	}
	size := uint64(headers + len(code) + len(text))
	var b bytes.Buffer
	for _, field := range []any{
		[]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		uint16(2), uint16(62), uint32(1), // executable, x86-64, version
		uint64(base + headers), uint64(64), uint64(0), // entry, program headers, no sections
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(4096), // load, read and execute
		code, []byte(text),
	} {
		_ = binary.Write(&b, binary.LittleEndian, field) // to memory
	}
	return b.Bytes()
}
