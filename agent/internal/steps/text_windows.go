package steps

import (
	"bytes"
	"unicode/utf16"
)

// windowsText is the text of a file of Windows': UTF-16 with a mark at its beginning, or
// as programs write to the console.
func windowsText(b []byte) string {
	b, wide := bytes.CutPrefix(b, []byte{0xff, 0xfe})
	if !wide {
		return decodeLine(b)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}
