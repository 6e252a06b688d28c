package bcd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// GUID is a GUID as Windows and the GUID partition table store it: the first three
// parts little endian.
type GUID [16]byte

// ErrGUID: a text that is no GUID.
var ErrGUID = errors.New("not a GUID")

// ParseGUID reads a GUID with or without braces.
func ParseGUID(s string) (g GUID, err error) {
	text := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(g) || len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return g, fmt.Errorf("%q: %w", s, ErrGUID)
	}
	copy(g[:], raw)
	return g.swapped(), nil
}

// swapped turns the first three parts around.
func (g GUID) swapped() GUID {
	return GUID{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

// String writes it in lower case with braces, as the store names its objects.
func (g GUID) String() string {
	s := g.swapped()
	h := hex.EncodeToString(s[:])
	return "{" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + "}"
}

func known(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err) // a constant of ours
	}
	return g
}
