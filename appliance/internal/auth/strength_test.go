package auth

import (
	"strings"
	"testing"
	"time"
)

func TestStrength(t *testing.T) {
	for _, c := range []struct {
		secret   string
		min, max float64
	}{
		{"", 0, 0},
		{"aaaaaaaaaaaa", 0, 11},
		{"123456", 0, 10},
		{"12345678901234567890", 0, 15},
		{"qwertyuiop", 0, 11},
		{"password", 0, 6},
		{"P4ssw0rd", 0, 8},
		{"drowssap", 0, 8},
		{"Passw0rd2026", 0, 18},
		{"summer2026", 0, 18},
		{"Sommer2026!", 0, 26},
		{"admin123", 0, 15},
		{"abcabcabcabc", 0, 15},
		{"letmein", 0, 6},
		{"1234", 0, 10},
		{"2580", 0, 14},
		{"slipway-lab", MinPasscodeBits, 40},
		{"correct horse battery staple", 60, 90},
		{"walrus plinth", MinPasswordBits, 45},
		{"k7Rw2p", 30, 40},
		{"plinth walrus 47", 50, 65},
		{"zG8$kq2!Lm", 60, 70},
		{"übergrößenträger", 20, 60},
		{strings.Repeat("x", 500), 0, 15},
	} {
		if have := Strength(c.secret); have < c.min || have > c.max {
			t.Errorf("Strength(%q) = %v, want %v to %v", c.secret, have, c.min, c.max)
		}
	}
}

// More text never makes a secret weaker by more than the estimate's slack.
func TestStrengthGrows(t *testing.T) {
	s := ""
	last := 0.0
	for _, r := range "t7Gq-mw9Lx3v" {
		s += string(r)
		if have := Strength(s); have < last {
			t.Errorf("%q has %v bits, less than %v", s, have, last)
		} else {
			last = have
		}
	}
}

func FuzzStrength(f *testing.F) {
	f.Add("P4ssw0rd2026")
	f.Add(strings.Repeat("ab", 300))
	f.Add("\xff\x00é")
	f.Fuzz(func(t *testing.T, s string) {
		began := time.Now()
		if bits := Strength(s); bits < 0 || bits > 128*8 {
			t.Errorf("%q: %v bits", s, bits)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%d bytes took %v", len(s), took)
		}
	})
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"plain":         "plain",
		"line\n":        "line",
		"line\r\n":      "line",
		" spaces kept ": " spaces kept ",
		"e\u0301":       "é", // a decomposed é
		"日本":            "日本",
	} {
		if have, usable := normalise(in); have != want || !usable {
			t.Errorf("normalise(%q) = %q, %v", in, have, usable)
		}
	}
	for _, in := range []string{"", "\n", "two\nlines", "tab\t", "nul\x00", "bad\xff", strings.Repeat("x", maxSecret+1), "line\n\n"} {
		if have, usable := normalise(in); usable {
			t.Errorf("normalise(%q) = %q, want unusable", in, have)
		}
	}
}
