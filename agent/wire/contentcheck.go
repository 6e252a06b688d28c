package wire

import (
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// FormPipableWIM is the form of a WIM that was written anew at intake so that
// `wimlib-imagex apply` reads it from a pipe; the file it was made of stands beside it.
const FormPipableWIM = "wim-pipable"

// Bounds of a version's content, for both sides.
const (
	MaxContentFiles = 500_000
	MaxContentPath  = 1024     // bytes
	MaxContentSize  = 16 << 40 // bytes of one file, and of all together
)

// CheckContentPath says what is wrong with the path of a file within a version.
func CheckContentPath(p string) error {
	switch {
	case p == "" || len(p) > MaxContentPath:
		return fmt.Errorf("the path %.40q has %d bytes; 1 to %d are allowed", p, len(p), MaxContentPath)
	case !utf8.ValidString(p) || strings.ContainsRune(p, 0):
		return fmt.Errorf("the path %q is not text", p)
	case strings.HasPrefix(p, "/") || p == ".." || strings.HasPrefix(p, "../"):
		return fmt.Errorf("the path %q leaves the folder", p)
	case path.Clean(p) != p || p == ".":
		return fmt.Errorf("the path %q is not in its shortest form", p)
	}
	return nil
}

// Check says what is wrong with a manifest: paths that leave the folder or clash,
// hashes that are none, sizes and pieces that do not fit each other.
func (m ContentManifest) Check() error {
	if len(m.Files) > MaxContentFiles {
		return fmt.Errorf("the version has %d files; at most %d are allowed", len(m.Files), MaxContentFiles)
	}
	folders, files := map[string]bool{}, map[string]bool{}
	total := int64(0)
	for _, f := range m.Files {
		if err := f.check(); err != nil {
			return err
		}
		if files[f.Path] {
			return fmt.Errorf("the file %q is named twice", f.Path)
		}
		files[f.Path] = true
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			folders[d] = true
		}
		if total += f.Size; total > MaxContentSize {
			return fmt.Errorf("the version is larger than %d bytes", int64(MaxContentSize))
		}
	}
	for f := range files {
		if folders[f] {
			return fmt.Errorf("%q is a file and a folder", f)
		}
	}
	if total != m.Size {
		return fmt.Errorf("the version's files have %d bytes, not %d", total, m.Size)
	}
	return nil
}

func (f ContentFile) check() error {
	if err := CheckContentPath(f.Path); err != nil {
		return err
	}
	if f.Size < 0 || f.Size > MaxContentSize || f.RawSize < 0 || f.Mode&^0o777 != 0 {
		return fmt.Errorf("the file %q has an impossible size or mode", f.Path)
	}
	pieces := int((f.Size + ChunkSize - 1) / ChunkSize)
	if len(f.Chunks) != pieces && (pieces > 1 || len(f.Chunks) != 0) {
		return fmt.Errorf("the file %q has %d hashes of pieces, not %d", f.Path, len(f.Chunks), pieces)
	}
	for _, sum := range append([]string{f.SHA256}, f.Chunks...) {
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 || strings.ToLower(sum) != sum {
			return fmt.Errorf("the file %q has %.70q for a hash", f.Path, sum)
		}
	}
	return nil
}
