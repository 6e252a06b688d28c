package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// DiskMarker is what a machine prints on its serial line when it boots from a
// disk made by BootDisk.
const DiskMarker = "BOOTED FROM DISK"

const bootDiskSize = 16 << 20

// BootDisk writes a disk image whose only content is a program that prints
// DiskMarker on the first serial port and stops: for BIOS in the boot sector, for
// UEFI as EFI/BOOT/BOOTX64.EFI in a FAT file system. It stands for an installed
// operating system.
func BootDisk(path string, firmware Firmware) error {
	if firmware == BIOS || firmware == PlainBIOS {
		if err := os.WriteFile(path, bootSector(), 0o644); err != nil {
			return err
		}
		return os.Truncate(path, bootDiskSize)
	}
	efi := path + ".efi"
	if err := os.WriteFile(efi, efiProgram(), 0o644); err != nil {
		return err
	}
	defer os.Remove(efi)
	for _, step := range [][]string{
		{"truncate", "-s", fmt.Sprint(bootDiskSize), path},
		{"mformat", "-i", path, "::"},
		{"mmd", "-i", path, "::/EFI", "::/EFI/BOOT"},
		{"mcopy", "-i", path, efi, "::/EFI/BOOT/BOOTX64.EFI"},
	} {
		if err := command(step[0], step[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// The program writes each byte of the text to port 0x3f8 and halts. OUT and HLT
// are the same bytes in 16-bit and 64-bit code; firmware runs both in ring 0.
// The UART's FIFO is emptied by QEMU faster than it fills.
var serialText = []byte("\r\n" + DiskMarker + "\r\n\x00")

// bootSector is 16-bit code, loaded at 0x7c00.
func bootSector() []byte {
	code := []byte{
		0xfa,       // cli
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0xbe, 0x00, 0x7c, // mov si, 0x7c00 + text (patched)
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz stop
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
	}
	binary.LittleEndian.PutUint16(code[6:], 0x7c00+uint16(len(code)))
	sector := make([]byte, 512)
	copy(sector, append(code, serialText...))
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}

// efiProgram is a PE32+ image with one section (Microsoft PE format; UEFI 2.10,
// section 2.1.1: subsystem 10 is an EFI application).
func efiProgram() []byte {
	code := []byte{
		0xfa,                                     // cli
		0x48, 0x8d, 0x35, 0x00, 0x00, 0x00, 0x00, // lea rsi, [rip + text] (patched)
		0xba, 0xf8, 0x03, 0x00, 0x00, // mov edx, 0x3f8
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz stop
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
	}
	binary.LittleEndian.PutUint32(code[4:], uint32(len(code)-8))
	code = append(code, serialText...)

	const headers, align = 0x200, 0x200
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer does not fail
		}
	}
	dos := make([]byte, 64)
	dos[0], dos[1], dos[60] = 'M', 'Z', 64
	b.Write(dos)
	put([]byte("PE\x00\x00"), uint16(0x8664), uint16(1), uint32(0), uint32(0), uint32(0), uint16(240), uint16(0x0022))
	// Optional header: magic, linker, sizes, entry point, base of code.
	put(uint16(0x20b), uint16(0), uint32(align), uint32(0), uint32(0), uint32(0x1000), uint32(0x1000))
	// Image base, alignments, versions, image and header sizes, checksum, subsystem.
	put(uint64(0x400000), uint32(0x1000), uint32(align), make([]byte, 16), uint32(0x2000), uint32(headers), uint32(0), uint16(10), uint16(0))
	// Stack and heap, loader flags, the sixteen empty data directories.
	put(make([]byte, 32), uint32(0), uint32(16), make([]byte, 128))
	name := [8]byte{'.', 't', 'e', 'x', 't'}
	put(name, uint32(len(code)), uint32(0x1000), uint32(align), uint32(headers), make([]byte, 12), uint32(0x60000020))
	out := make([]byte, headers+align)
	copy(out, b.Bytes())
	copy(out[headers:], code)
	return out
}
