package screen

import "strings"

// Layout is a keyboard layout for the video console. Serial lines are not
// affected: their terminal sends characters. Accents are typed as themselves,
// not as dead keys: what is pressed appears, and can be looked at.
type Layout struct {
	Code  string // "de"
	Name  string // "German"
	plain rows
	shift rows
	altgr string // "16@ 18€": key code and character
	both  string // the same with shift and AltGr
}

// rows are the characters of the four rows of keys, see rowKeys.
type rows [4]string

// rowKeys are the Linux key codes of the four rows: the digits with the key to
// their left; the letters below; the next row with the key beside Enter; the
// last row with the extra key of European keyboards.
func rowKeys() [4][]uint8 {
	return [4][]uint8{
		{41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
		{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27},
		{30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 43},
		{86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53},
	}
}

// FindLayout returns the layout of a code.
func FindLayout(code string) (Layout, bool) {
	for _, l := range Layouts() {
		if l.Code == strings.ToLower(code) {
			return l, true
		}
	}
	return Layout{}, false
}

// keyEntry is one entry of the kernel's key map, as KDSKBENT takes it.
type keyEntry struct {
	table, key uint8
	value      uint16
}

// The kernel's tables and types of key values (linux/keyboard.h).
const (
	tablePlain, tableShift, tableAltGr, tableBoth, tableCtrl = 0, 1, 2, 3, 4

	typeLatin, typeSpecial, typeLetter = 0, 2, 11
	hole                               = typeSpecial << 8
)

// entries lists what to tell the kernel so that its key map is this layout.
func (l Layout) entries() []keyEntry {
	var list []keyEntry
	altgr, both := pairs(l.altgr), pairs(l.both)
	for row, keys := range rowKeys() {
		plain, shift := []rune(l.plain[row]), []rune(l.shift[row])
		for i, key := range keys {
			letter := isCasePair(plain[i], shift[i])
			list = append(list,
				keyEntry{tablePlain, key, keyValue(plain[i], letter)},
				keyEntry{tableShift, key, keyValue(shift[i], letter)},
				keyEntry{tableAltGr, key, keyValue(altgr[key], false)},
				keyEntry{tableBoth, key, keyValue(both[key], false)})
			if plain[i] >= 'a' && plain[i] <= 'z' {
				list = append(list, keyEntry{tableCtrl, key, uint16(plain[i] & 0x1f)})
			}
		}
	}
	return list
}

// pairs reads "16@ 18€".
func pairs(text string) map[uint8]rune {
	found := map[uint8]rune{}
	for _, f := range strings.Fields(text) {
		key := uint8(0)
		for _, r := range f {
			if r < '0' || r > '9' {
				found[key] = r
				break
			}
			key = key*10 + uint8(r-'0')
		}
	}
	return found
}

// keyValue encodes a character for KDSKBENT: Latin-1 by type (so that Caps Lock
// works on letters), anything else as the kernel's form of a Unicode value.
func keyValue(r rune, letter bool) uint16 {
	switch {
	case r == 0:
		return hole
	case r > 0xff:
		return uint16(r) ^ 0xf000
	case letter:
		return typeLetter<<8 | uint16(r)
	}
	return typeLatin<<8 | uint16(r)
}

func isCasePair(lower, upper rune) bool {
	return lower <= 0xff && upper <= 0xff && lower != upper &&
		strings.ToUpper(string(lower)) == string(upper)
}
