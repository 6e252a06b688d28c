package wim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// small is an image as far as it is read here: header and description.
func small(description string, change func(h []byte)) []byte {
	b := make([]byte, headerSize)
	copy(b, Magic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], headerSize)
	le.PutUint16(b[40:], 1)
	le.PutUint16(b[42:], 1)
	le.PutUint32(b[44:], 1)
	xml := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(description)) {
		xml = le.AppendUint16(xml, u)
	}
	le.PutUint64(b[atXML:], uint64(len(xml)))
	le.PutUint64(b[atXML+8:], headerSize)
	le.PutUint64(b[atXML+16:], uint64(len(xml)))
	if change != nil {
		change(b)
	}
	return append(b, xml...)
}

const one = `<WIM><IMAGE INDEX="1"><NAME>A` + "\u0085\n" + `B</NAME><WINDOWS><ARCH>12</ARCH><LANGUAGES><LANGUAGE>de-DE</LANGUAGE></LANGUAGES>` +
	`<VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>26100</BUILD></VERSION></WINDOWS></IMAGE></WIM>`

func TestReadDescription(t *testing.T) {
	b := small(one, nil)
	info, err := read(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(info.Images) != 1 {
		t.Fatalf("%+v, %v", info, err)
	}
	i := info.Images[0]
	if i.Name != "AB" || i.Architecture != "arm64" || i.Version != "10.0.26100" || len(i.Languages) != 1 {
		t.Errorf("%+v", i)
	}
}

func TestMistakesAreToldApart(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"other file":  {[]byte("hello, this is no image"), ErrNotWIM},
		"header cut":  {small(one, nil)[:60], ErrTruncated},
		"cut":         {small(one, nil)[:headerSize+20], ErrTruncated},
		"huge offset": {small(one, func(h []byte) { le.PutUint64(h[atXML+8:], 1<<63) }), ErrDamaged},
		"compressed":  {small(one, func(h []byte) { le.PutUint64(h[atXML+16:], 1<<20) }), ErrDamaged},
		"encrypted": {small("\u1234\u4321", func(h []byte) {
			le.PutUint64(h[atXML+8:], headerSize+2)
			le.PutUint64(h[atXML:], 4)
			le.PutUint64(h[atXML+16:], 4)
		}), ErrEncrypted},
		"no image":       {small(one, func(h []byte) { le.PutUint32(h[44:], 0) }), ErrDamaged},
		"more than said": {small(one, func(h []byte) { le.PutUint32(h[44:], 2) }), ErrDamaged},
		"odd numbers":    {small(strings.Replace(one, `"1"`, `"7"`, 1), nil), ErrDamaged},
		"no XML":         {small("<WIM", nil), ErrDamaged},
		"part of many":   {small(one, func(h []byte) { h[42] = 3 }), ErrSplit},
	} {
		if _, err := read(bytes.NewReader(c.b), int64(len(c.b))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestStampRefusesWhatItCannotWrite(t *testing.T) {
	p := filepath.Join(t.TempDir(), "x.wim")
	b := small("<WIM><IMAGE INDEX=\"1\"><LASTMODIFICATIONTIME><HIGHPART>0x1</HIGHPART><LOWPART>0x2</LOWPART></LASTMODIFICATIONTIME></IMAGE></WIM>", nil)
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Stamp(p, [16]byte{1}, time.Unix(0, 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(p); err != nil || !bytes.Equal(after, b) {
		t.Errorf("it was changed (%v)", err)
	}
}

func TestToolTellsWhatIsWrong(t *testing.T) {
	tool, err := FindTool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "x.wim")
	if err := os.WriteFile(p, small(one, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := tool.List(t.Context(), p, 1); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("an image without images: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tool.List(ctx, p, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := tool.Overlay(t.Context(), p, 1, "it's", nil); err == nil {
		t.Error("a folder that ends the quotes was accepted")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(small(one, nil))
	f.Add(small("<WIM></WIM>", nil))
	f.Add([]byte(Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := read(bytes.NewReader(b), int64(len(b)))
		if err == nil && len(info.Images) == 0 {
			t.Error("an image without images was accepted")
		}
		for _, i := range info.Images {
			if strings.ContainsAny(i.Name+i.Version+i.Description, "\n\x1b\x00") {
				t.Errorf("%+v is not harmless text", i)
			}
		}
	})
}
