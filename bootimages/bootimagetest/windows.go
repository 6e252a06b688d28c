package bootimagetest

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Processors in Windows' programs.
const (
	MachineX64   = 0x8664
	MachineARM64 = 0xaa64
)

// The environments of programs.
const (
	SubsystemConsole = 3
	SubsystemEFI     = 10
)

// WindowsProgram is the smallest file that is a 64-bit program of Windows' or UEFI's
// form; it does nothing.
func WindowsProgram(machine uint16, subsystem uint16) []byte {
	const header, optional = 0x40, 240
	b := make([]byte, 1024)
	le := binary.LittleEndian
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], header)
	copy(b[header:], "PE\x00\x00")
	le.PutUint16(b[header+4:], machine)
	le.PutUint16(b[header+20:], optional)
	le.PutUint16(b[header+22:], 0x22)
	o := b[header+24:]
	le.PutUint16(o, 0x20b)
	le.PutUint32(o[32:], 4096)
	le.PutUint32(o[36:], 512)
	le.PutUint32(o[56:], 4096)
	le.PutUint32(o[60:], 1024)
	le.PutUint16(o[68:], subsystem)
	le.PutUint32(o[108:], 16)
	return b
}

// WindowsSource describes a synthetic source of Windows PE.
type WindowsSource struct {
	Machine uint16            // MachineX64 when 0
	Images  []string          // names; default: Windows PE and Windows Setup, as on Windows' discs
	Extra   map[string]string // further files of each image
	Without []string          // files that are left out
	Large   int               // bytes of a file that compresses to half its size
	OnDisc  map[string]string // files of the disc by their paths there, each copied from a file; "" leaves one out
}

// peFiles are the files that the builder asks for, with the paths that they have in
// Windows' own images.
func (s WindowsSource) peFiles() map[string][]byte {
	machine := s.Machine
	if machine == 0 {
		machine = MachineX64
	}
	files := map[string][]byte{
		"Windows/Boot/EFI/bootmgfw.efi":       WindowsProgram(machine, SubsystemEFI),
		"Windows/Boot/DVD/EFI/boot.sdi":       []byte("$SDI0001 stand-in"),
		"Windows/Boot/Fonts/wgl4_boot.ttf":    []byte("font one"),
		"Windows/Boot/Fonts/segmono_boot.ttf": []byte("font two"),
		"Windows/System32/config/SOFTWARE":    []byte("hive"),
		"Windows/System32/winpe.jpg":          []byte("picture"),
		"Windows/System32/cscript.exe":        []byte("script host"),
		"Windows/servicing/Packages/WinPE-WMI-Package~31bf3856ad364e35~amd64~~10.0.26100.1.mum": []byte("wmi"),
	}
	for _, program := range []string{"winpeshl", "wpeinit", "wpeutil", "drvload", "reg", "cmd"} {
		files["Windows/System32/"+program+".exe"] = WindowsProgram(machine, SubsystemConsole)
	}
	if machine == MachineX64 {
		files["Windows/Boot/PXE/pxeboot.n12"], files["Windows/Boot/PXE/bootmgr.exe"] = []byte("n12"), []byte("bootmgr")
	}
	if s.Large > 0 {
		files["Windows/System32/large.dll"] = noise(s.Large)
	}
	for name, content := range s.Extra {
		files[name] = []byte(content)
	}
	for _, name := range s.Without {
		delete(files, name)
	}
	return files
}

// noise compresses to half its size; the same length gives the same bytes.
func noise(n int) []byte {
	b, x := make([]byte, n), uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = 'a' + byte(x>>32)&15
	}
	return b
}

// WriteWIM writes the source as a WIM, with wimlib-imagex. scratch is a folder for
// what it is made of.
func (s WindowsSource) WriteWIM(file, scratch string) error {
	tree := filepath.Join(scratch, "tree")
	if err := writeTree(tree, s.peFiles()); err != nil {
		return err
	}
	names := s.Images
	if names == nil {
		names = []string{"Microsoft Windows PE (x64)", "Microsoft Windows Setup (x64)"}
	}
	arch := "ARCH=9"
	switch s.Machine {
	case MachineARM64:
		arch = "ARCH=12"
	case 0x14c:
		arch = "ARCH=0"
	}
	for i, name := range names {
		if i == 1 {
			if err := writeTree(tree, map[string][]byte{"sources/setup.exe": []byte("setup")}); err != nil {
				return err
			}
		}
		args := []string{"capture", tree, file, name, name, "--compress=LZX", "--boot"}
		if i > 0 {
			args = []string{"append", tree, file, name, name, "--boot"}
		}
		for _, p := range []string{arch, "VERSION/MAJOR=10", "VERSION/MINOR=0", "VERSION/BUILD=26100", "VERSION/SPBUILD=1742", "LANGUAGES/LANGUAGE=en-US"} {
			args = append(args, "--image-property=WINDOWS/"+p)
		}
		if err := program("wimlib-imagex", args...); err != nil {
			return err
		}
	}
	return os.RemoveAll(tree)
}

// WriteISO writes a disc with a UDF file system around the source, with genisoimage.
func (s WindowsSource) WriteISO(file, scratch string) error {
	disc := filepath.Join(scratch, "disc")
	if err := writeTree(disc, map[string][]byte{"setup.exe": []byte("setup"), "boot/boot.sdi": []byte("$SDI0001 of the disc"),
		"efi/boot/bootx64.efi": WindowsProgram(MachineX64, SubsystemEFI), "sources/install.wim": []byte("not looked at")}); err != nil {
		return err
	}
	for name, from := range s.OnDisc {
		if err := copyFile(filepath.Join(disc, filepath.FromSlash(name)), from); err != nil {
			return err
		}
	}
	if err := s.WriteWIM(filepath.Join(disc, "sources/boot.wim"), scratch); err != nil {
		return err
	}
	if err := program("genisoimage", "-quiet", "-udf", "-iso-level", "3", "-allow-limited-size", "-V", "WINDOWS", "-o", file, disc); err != nil {
		return err
	}
	return os.RemoveAll(disc)
}

// copyFile writes a file anew; from empty removes it.
func copyFile(to, from string) error {
	if from == "" {
		return os.Remove(to)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func writeTree(dir string, files map[string][]byte) error {
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func program(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return fmt.Errorf("%s: %w: %s", name, err, text[max(0, len(text)-400):])
	}
	return nil
}
