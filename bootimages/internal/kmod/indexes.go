package kmod

import (
	"bytes"
	"slices"
	"strings"
)

// Dep writes modules.dep for a set: "path: what it needs, deepest last".
func (x *Index) Dep(set []*Module) []byte {
	var b bytes.Buffer
	for _, m := range set {
		b.WriteString(m.Path + ":")
		for _, d := range x.LoadOrder(m) {
			b.WriteString(" " + d.Path)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Alias writes modules.alias for a set: "alias PATTERN module".
func Alias(set []*Module) []byte {
	var b bytes.Buffer
	for _, m := range set {
		aliases := slices.Clone(m.Aliases)
		slices.Sort(aliases)
		for _, a := range slices.Compact(aliases) {
			b.WriteString("alias " + a + " " + m.Name + "\n")
		}
	}
	return b.Bytes()
}

// SoftDeps writes modules.softdep for a set: "softdep module pre: a post: b".
func SoftDeps(set []*Module) []byte {
	var b bytes.Buffer
	for _, m := range set {
		for _, s := range m.Soft {
			if len(s.Pre)+len(s.Post) == 0 {
				continue
			}
			b.WriteString("softdep " + m.Name)
			if len(s.Pre) > 0 {
				b.WriteString(" pre: " + strings.Join(s.Pre, " "))
			}
			if len(s.Post) > 0 {
				b.WriteString(" post: " + strings.Join(s.Post, " "))
			}
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// Firmware writes modules.firmware, an index of our own: "module: file file". The
// agent uses it to tell a missing driver from a driver without its firmware.
func Firmware(set []*Module) []byte {
	var b bytes.Buffer
	for _, m := range set {
		if len(m.Firmware) > 0 {
			files := slices.Clone(m.Firmware)
			slices.Sort(files)
			b.WriteString(m.Name + ": " + strings.Join(slices.Compact(files), " ") + "\n")
		}
	}
	return b.Bytes()
}
