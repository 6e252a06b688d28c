package screen

import (
	"testing"
	"unicode/utf8"
)

func TestLayoutsAreComplete(t *testing.T) {
	for _, l := range Layouts() {
		t.Run(l.Code, func(t *testing.T) {
			for row, keys := range rowKeys() {
				for name, rows := range map[string]rows{"plain": l.plain, "shift": l.shift} {
					if n := utf8.RuneCountInString(rows[row]); n != len(keys) {
						t.Errorf("row %d, %s: %d characters for %d keys", row, name, n, len(keys))
					}
				}
			}
		})
	}
}

// TestEveryASCIICharacterCanBeTyped: a passcode may hold any of them.
func TestEveryASCIICharacterCanBeTyped(t *testing.T) {
	for _, l := range Layouts() {
		can := map[rune]bool{' ': true}
		for row := range rowKeys() {
			for _, r := range l.plain[row] + l.shift[row] {
				can[r] = true
			}
		}
		for _, text := range []string{l.altgr, l.both} {
			for _, r := range pairs(text) {
				can[r] = true
			}
		}
		for r := rune(' '); r < 0x7f; r++ {
			if !can[r] {
				t.Errorf("%s: %q cannot be typed", l.Code, r)
			}
		}
	}
}

func TestNoTwoKeysForALetter(t *testing.T) {
	for _, l := range Layouts() {
		seen := map[rune]bool{}
		for row := range rowKeys() {
			for _, r := range l.plain[row] {
				if seen[r] && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9') {
					t.Errorf("%s: %q stands on two keys", l.Code, r)
				}
				seen[r] = true
			}
		}
		for r := 'a'; r <= 'z'; r++ {
			if !seen[r] {
				t.Errorf("%s: no key for %q", l.Code, r)
			}
		}
	}
}

func TestEntriesAsTheKernelTakesThem(t *testing.T) {
	de, ok := FindLayout("DE")
	if !ok {
		t.Fatal("no German layout")
	}
	want := map[[2]uint8]uint16{
		{tablePlain, 21}: 0x0b7a, {tableShift, 21}: 0x0b5a, {tableCtrl, 21}: 0x001a, // Z where the US has Y, a letter
		{tablePlain, 39}: 0x0bf6, {tableShift, 39}: 0x0bd6, // ö, Latin-1
		{tableAltGr, 16}: 0x0040, {tableAltGr, 18}: 0x20ac ^ 0xf000, // @ and the euro sign
		{tableAltGr, 30}: hole, {tableShift, 3}: 0x0022,
	}
	for _, e := range de.entries() {
		if v, ok := want[[2]uint8{e.table, e.key}]; ok {
			if e.value != v {
				t.Errorf("table %d key %d: %#x, want %#x", e.table, e.key, e.value, v)
			}
			delete(want, [2]uint8{e.table, e.key})
		}
	}
	if len(want) > 0 {
		t.Errorf("entries missing: %v", want)
	}
	if _, ok := FindLayout("xx"); ok {
		t.Error("found a layout that does not exist")
	}
}
