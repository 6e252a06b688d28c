package kmod

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxModinfo bounds the section that is read; i915, the largest in Debian's
// kernel 6.1, has 60 kB.
const maxModinfo = 4 << 20

// Module is one kernel module and what its .modinfo section says.
type Module struct {
	Name     string   // with underscores, as the kernel names it: crc32c_intel
	Path     string   // below /lib/modules/<release>: kernel/lib/crc16.ko
	Depends  []string // names, with underscores
	Soft     []SoftDep
	Aliases  []string
	Firmware []string // files below /lib/firmware the driver may ask for
	Signed   bool     // carries an appended signature
}

// SoftDep is an optional dependency: names or aliases to load before and after.
type SoftDep struct {
	Pre, Post []string
}

// signatureMark ends a signed module (kernel: MODULE_SIG_STRING).
const signatureMark = "~Module signature appended~\n"

// Name derives a module's name from its path, as modprobe does.
func Name(p string) string {
	base, _, _ := strings.Cut(path.Base(p), ".ko")
	return Normal(base)
}

// Normal spells a module name with underscores; hyphens mean the same.
func Normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Parse reads the modinfo of an uncompressed module.
func Parse(p string, content []byte) (*Module, error) {
	info, err := modinfo(content)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", p, err)
	}
	m := &Module{Name: Name(p), Path: p, Signed: bytes.HasSuffix(content, []byte(signatureMark))}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		key, value, ok := strings.Cut(string(field), "=")
		if !ok || !printable(value) {
			continue
		}
		switch key {
		case "depends":
			for d := range strings.SplitSeq(value, ",") {
				if d != "" {
					m.Depends = append(m.Depends, Normal(d))
				}
			}
		case "softdep":
			m.Soft = append(m.Soft, parseSoft(value))
		case "alias":
			if !strings.ContainsAny(value, " \t") {
				m.Aliases = append(m.Aliases, value)
			}
		case "firmware":
			m.Firmware = append(m.Firmware, value)
		}
	}
	return m, nil
}

func modinfo(content []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("not an ELF file: %w", err)
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, errors.New("no .modinfo section")
	}
	if s.Type == elf.SHT_NOBITS || s.Size > maxModinfo {
		return nil, errors.New("unusable .modinfo section")
	}
	return s.Data()
}

// parseSoft reads "pre: a b post: c". Names before any keyword are ignored, as
// modprobe does.
func parseSoft(value string) SoftDep {
	var s SoftDep
	var into *[]string
	for _, w := range strings.Fields(value) {
		switch {
		case w == "pre:":
			into = &s.Pre
		case w == "post:":
			into = &s.Post
		case into != nil:
			*into = append(*into, w)
		}
	}
	return s
}

// printable keeps hostile values from breaking the line-based indexes.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// WantsFirmware reports whether the driver may ask for a file below /lib/firmware.
func (m *Module) WantsFirmware(name string) bool {
	return slices.ContainsFunc(m.Firmware, func(f string) bool { return Glob(f, name) })
}
