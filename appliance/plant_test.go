package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// planted are secret values under what they are, to be looked for where they must not
// be.
type planted map[string][]byte

func (p planted) add(what, value string) { p[what] = []byte(value) }

// forms are the ways in which a value may be written: as it is, in hex, in base64 at
// each of the three places it can have within a longer text, and in UTF-16.
func forms(value []byte) map[string][]byte {
	wide := utf16.Encode([]rune(string(value)))
	little, big := make([]byte, 0, 2*len(wide)), make([]byte, 0, 2*len(wide))
	for _, u := range wide {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	out := map[string][]byte{
		"as it is": value, "UTF-16LE": little, "UTF-16BE": big,
		"hex": []byte(hex.EncodeToString(value)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(value))),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
		for off := range 3 {
			text := enc.EncodeToString(append(make([]byte, off, off+len(value)), value...))
			from, to := (off*8+5)/6, (off+len(value))*8/6 // characters of these bits alone
			out[name+" at "+string(rune('0'+off))] = []byte(text[from:to])
		}
	}
	return out
}

// find returns what of p stands in data, as "what, form".
func (p planted) find(data []byte) []string {
	var found []string
	for what, value := range p {
		for form, text := range forms(value) {
			if bytes.Contains(data, text) {
				found = append(found, what+", "+form)
			}
		}
	}
	slices.Sort(found)
	return found
}

// check reports every planted value in data.
func (p planted) check(t *testing.T, where string, data []byte) {
	t.Helper()
	for _, f := range p.find(data) {
		t.Errorf("%s holds a secret: %s", where, f)
	}
}

// checkFolder looks through every file below dir, their names included.
func (p planted) checkFolder(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p.check(t, "the name of "+path, []byte(d.Name()))
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		p.check(t, path, written(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// written leaves blocks of zeros out: the log takes its space ahead.
func written(data []byte) []byte {
	const size = 4096
	zeros := make([]byte, size)
	var out []byte
	for block := range slices.Chunk(data, size) {
		if !bytes.Equal(block, zeros[:len(block)]) {
			out = append(out, block...)
		}
	}
	return out
}

func TestPlantedValuesAreFound(t *testing.T) {
	p := planted{}
	p.add("secret", "Quartz-Plover-31")
	hidden := []byte(`{"name":"x","value":"Quartz-Plover-31","more":1}`)
	for name, text := range map[string][]byte{
		"plain":    hidden,
		"hex":      []byte("0x" + hex.EncodeToString(hidden)),
		"HEX":      []byte(strings.ToUpper(hex.EncodeToString(hidden))),
		"UTF-16LE": forms(hidden)["UTF-16LE"],
		"UTF-16BE": forms(hidden)["UTF-16BE"],
	} {
		if len(p.find(text)) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	for off := range 3 {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
			if len(p.find([]byte(enc.EncodeToString(hidden[off:])))) == 0 {
				t.Errorf("base64 without the first %d bytes is not found", off)
			}
		}
	}
	if found := p.find([]byte("Quartz-Plover-32, quartz-plover-31")); len(found) > 0 {
		t.Errorf("found what is not there: %v", found)
	}
	sparse := append(make([]byte, 10<<10), append(bytes.Clone(hidden), make([]byte, 10<<10)...)...)
	if len(p.find(written(sparse))) == 0 {
		t.Error("not found among zeros")
	}
}
