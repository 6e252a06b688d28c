package screen

import (
	"reflect"
	"testing"
)

func TestDecoder(t *testing.T) {
	tests := []struct {
		name string
		in   []string // chunks as they come
		want []Key
	}{
		{"text", []string{"aB"}, []Key{{Rune, 'a'}, {Rune, 'B'}}},
		{"umlaut in two chunks", []string{"\xc3", "\xa4"}, []Key{{Rune, 'ä'}}},
		{"latin-1 terminal", []string{"\xe4x"}, []Key{{Rune, 'ä'}, {Rune, 'x'}}},
		{"enter of a serial line", []string{"\r\n"}, []Key{{Code: Enter}}},
		{"enter twice", []string{"\r\r"}, []Key{{Code: Enter}, {Code: Enter}}},
		{"line feed alone", []string{"\n"}, []Key{{Code: Enter}}},
		{"backspace, both kinds", []string{"\x7f\x08"}, []Key{{Code: Backspace}, {Code: Backspace}}},
		{"console F2 and F10", []string{"\x1b[[B\x1b[21~"}, []Key{{Code: F2}, {Code: F10}}},
		{"xterm F2, F5", []string{"\x1bOQ\x1b[15~"}, []Key{{Code: F2}, {Code: F5}}},
		{"arrows", []string{"\x1b[A\x1bOB"}, []Key{{Code: Up}, {Code: Down}}},
		{"sequence in chunks", []string{"\x1b", "[", "2", "0~"}, []Key{{Code: F9}}},
		{"control", []string{"\x12"}, []Key{{Ctrl, 'r'}}},
		{"unknown sequence is swallowed", []string{"\x1b[99;5Xa"}, []Key{{Rune, 'a'}}},
		{"cursor report", []string{"\x1b[1", ";3Ra"}, []Key{{Report, 3}, {Rune, 'a'}}},
		{"xterm F3, and a report without a place", []string{"\x1bOR\x1b[R"}, []Key{{Code: F3}}},
		{"modified arrow is swallowed", []string{"\x1b[1;5Aa"}, []Key{{Rune, 'a'}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDecoder()
			var got []Key
			for _, chunk := range tt.in {
				got = append(got, d.Feed([]byte(chunk))...)
			}
			if !reflect.DeepEqual(got, tt.want) || d.Pending() {
				t.Errorf("got %v, want %v, pending %v", got, tt.want, d.Pending())
			}
		})
	}
}

func TestEscapeAlone(t *testing.T) {
	d := NewDecoder()
	if keys := d.Feed([]byte("\x1b")); len(keys) != 0 || !d.Pending() {
		t.Errorf("decided too early: %v", keys)
	}
	if keys := d.Flush(); !reflect.DeepEqual(keys, []Key{{Code: Escape}}) || d.Pending() {
		t.Errorf("got %v", keys)
	}
}

// A person types slower than a terminal sends the bytes of one character.
func TestLatin1TypedAlone(t *testing.T) {
	d := NewDecoder()
	if keys := d.Feed([]byte("\xe4")); len(keys) != 0 || !d.Pending() {
		t.Errorf("decided too early: %v", keys)
	}
	if keys := d.Flush(); !reflect.DeepEqual(keys, []Key{{Rune, 'ä'}}) || d.Pending() {
		t.Errorf("got %v", keys)
	}
}

func TestControlStandIns(t *testing.T) {
	for r, want := range map[rune]KeyCode{'r': F2, 'k': F3, 't': F5, 'e': F6, 'l': F8, 'x': F9, 'p': F10, 'u': Ctrl} {
		if got := (Key{Ctrl, r}).Plain().Code; got != want {
			t.Errorf("Ctrl-%c is %d, want %d", r, got, want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x1b[[A\x1bO"), []byte("P\xc3"))
	f.Add([]byte("\x1b[111111111111111111111111"), []byte("~"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d := NewDecoder()
		keys := append(d.Feed(a), d.Feed(b)...)
		if len(d.rest) > maxSequence+utf8Max {
			t.Errorf("%d bytes are kept", len(d.rest))
		}
		for _, k := range append(keys, d.Flush()...) {
			if k.Code == Rune && k.Rune < ' ' {
				t.Errorf("control character %#x as text", k.Rune)
			}
		}
	})
}

const utf8Max = 4
