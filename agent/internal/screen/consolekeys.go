package screen

import "unicode/utf16"

// Virtual-key codes of Windows (winuser.h) that give no character.
var virtualKeys = map[uint16]string{
	0x21: "\x1b[5~", 0x22: "\x1b[6~", 0x23: "\x1b[F", 0x24: "\x1b[H", // page up and down, end, home
	0x25: "\x1b[D", 0x26: "\x1b[A", 0x27: "\x1b[C", 0x28: "\x1b[B", // left, up, right, down
	0x2d: "\x1b[2~", 0x2e: "\x1b[3~", // insert, delete
	0x70: "\x1bOP", 0x71: "\x1bOQ", 0x72: "\x1bOR", 0x73: "\x1bOS", 0x74: "\x1b[15~", 0x75: "\x1b[17~", // F1 to F6
	0x76: "\x1b[18~", 0x77: "\x1b[19~", 0x78: "\x1b[20~", 0x79: "\x1b[21~", 0x7a: "\x1b[23~", 0x7b: "\x1b[24~",
}

// consoleKey turns a key of a Windows console into what a terminal would send, so that
// all consoles have one decoder. char is the key's UTF-16 unit; before is the first
// half of a surrogate pair, or 0. half is such a half to be handed in with the next key.
func consoleKey(vk, char, before uint16) (text string, half uint16) {
	switch {
	case char == 0:
		return virtualKeys[vk], 0
	case utf16.IsSurrogate(rune(char)) && before == 0:
		return "", char
	case before != 0:
		return string(utf16.DecodeRune(rune(before), rune(char))), 0
	}
	return string(rune(char)), 0
}
