package screen

import "testing"

// Keys of a Windows console come out of the decoder as those of any terminal do.
func TestConsoleKeys(t *testing.T) {
	for _, tt := range []struct {
		vk, char uint16
		want     Key
	}{
		{0x41, 'a', Key{Rune: 'a'}},
		{0xbc, 0x00e9, Key{Rune: 'é'}},
		{0x0d, '\r', Key{Code: Enter}},
		{0x08, 0x08, Key{Code: Backspace}},
		{0x45, 0x05, Key{Code: Ctrl, Rune: 'e'}},
		{0x26, 0, Key{Code: Up}}, {0x28, 0, Key{Code: Down}}, {0x25, 0, Key{Code: Left}}, {0x27, 0, Key{Code: Right}},
		{0x21, 0, Key{Code: PageUp}}, {0x22, 0, Key{Code: PageDown}}, {0x23, 0, Key{Code: End}}, {0x24, 0, Key{Code: Home}}, {0x2e, 0, Key{Code: Delete}},
		{0x70, 0, Key{Code: F1}}, {0x72, 0, Key{Code: F3}}, {0x74, 0, Key{Code: F5}}, {0x75, 0, Key{Code: F6}}, {0x77, 0, Key{Code: F8}}, {0x79, 0, Key{Code: F10}},
	} {
		text, half := consoleKey(tt.vk, tt.char, 0)
		keys := NewDecoder().Feed([]byte(text))
		if len(keys) != 1 || keys[0] != tt.want || half != 0 {
			t.Errorf("key %#x %#x gave %+v, %#x, want %+v", tt.vk, tt.char, keys, half, tt.want)
		}
	}
	if text, half := consoleKey(0x10, 0, 0); text != "" || half != 0 {
		t.Errorf("shift alone gave %q", text)
	}
	text, half := consoleKey(0xe7, 0xd83d, 0)
	again, rest := consoleKey(0xe7, 0xde00, half)
	if text != "" || again != "😀" || rest != 0 {
		t.Errorf("a pair gave %q, %q", text, again)
	}
}
