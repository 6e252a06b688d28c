package unattend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a given file. Real ones have some hundred elements, ten deep.
const (
	MaxBytes      = 4 << 20
	MaxDepth      = 64
	MaxElements   = 20_000
	MaxAttributes = 64 // of one element
)

// ErrTooLarge says that a given file is beyond the limits.
var ErrTooLarge = errors.New("the answer file is too large")

// declaration is the XML declaration, with the encoding it names.
var declaration = regexp.MustCompile(`^<\?xml\s[^?]*\?>`)

var encodingName = regexp.MustCompile(`(encoding\s*=\s*["'])([A-Za-z0-9._-]+)(["'])`)

// decode returns the text of a file as UTF-8 without a byte order mark, split into its
// declaration, which may be empty, and the rest. UTF-8 and UTF-16 are read; what was
// UTF-16 is declared as utf-8 afterwards.
func decode(data []byte) (declared, rest []byte, err error) {
	if len(data) > MaxBytes {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrTooLarge, len(data), MaxBytes)
	}
	wide := false
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		wide = true
		data, err = fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		wide = true
		data, err = fromUTF16(data[2:], binary.BigEndian)
	case bytes.HasPrefix(data, []byte("<\x00")):
		wide = true
		data, err = fromUTF16(data, binary.LittleEndian)
	}
	if err != nil {
		return nil, nil, err
	}
	if !utf8.Valid(data) {
		return nil, nil, errors.New("the answer file is neither UTF-8 nor UTF-16: save it as UTF-8")
	}
	declared = declaration.Find(data)
	rest = data[len(declared):]
	if m := encodingName.FindSubmatch(declared); m != nil {
		name := strings.ToLower(string(m[2]))
		if name != "utf-8" && name != "utf8" && name != "us-ascii" && !(wide && strings.HasPrefix(name, "utf-16")) {
			return nil, nil, fmt.Errorf("the answer file says that it is %s: save it as UTF-8", m[2])
		}
		if wide {
			declared = encodingName.ReplaceAll(declared, []byte("${1}utf-8${3}"))
		}
	}
	return declared, rest, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	if len(data)%2 != 0 {
		return nil, errors.New("the answer file is cut off: UTF-16 with an odd number of bytes")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units))), nil
}
