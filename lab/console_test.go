package lab

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pipeConsole returns a console and the machine's end of its line.
func pipeConsole(t *testing.T) (*Console, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c, err := newConsole(ours, filepath.Join(t.TempDir(), "serial.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close(); c.Close() })
	return c, theirs
}

func TestExpectConsumesAndIgnoresColour(t *testing.T) {
	c, machine := pipeConsole(t)
	go func() {
		for _, piece := range []string{"\x1b[2J\x1b[1;1HPass\x1b[1", "mcode\x1b[0m: ", "\x1b[3;1HPasscode not accepted"} {
			_, _ = machine.Write([]byte(piece))
		}
	}()
	for _, want := range []string{"Passcode", "Passcode not accepted"} {
		if _, err := c.Expect(t.Context(), time.Minute, want); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Expect(t.Context(), 50*time.Millisecond, "Passcode"); err == nil {
		t.Error("a text was found a second time")
	} else if !strings.Contains(err.Error(), "Passcode not accepted") {
		t.Errorf("the error does not show the screen: %v", err)
	}
}

func TestExpectEndsWhenTheMachineHangsUp(t *testing.T) {
	c, machine := pipeConsole(t)
	machine.Close()
	if _, err := c.Expect(t.Context(), time.Minute, "x"); err == nil || !strings.Contains(err.Error(), "hung up") {
		t.Errorf("got %v", err)
	}
}

func TestTerminalScreen(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"lines", "one\r\ntwo", "one\ntwo"},
		{"overwritten", "abc\rX", "Xbc"},
		{"moved", "\x1b[2;3Hx\x1b[1;1Hy", "y\n  x"},
		{"erased to the end", "hello\x1b[1;3H\x1b[K", "he"},
		{"cleared", "hello\x1b[2J\x1b[Hnew", "new"},
		{"erased below", "a\r\nb\r\nc\x1b[2;1H\x1b[J", "a"},
		{"a title is not text", "\x1b]0;title\x07ok", "ok"},
		{"wide characters in pieces", "\xc3", ""},
		{"out of the screen", "\x1b[99;999Hz\x1b[0;0H", strings.Repeat("\n", 23) + strings.Repeat(" ", 79) + "z"},
	} {
		term := newTerminal(80, 24)
		for i := range len(c.in) { // byte by byte: pieces may be cut anywhere
			term.write([]byte(c.in[i : i+1]))
		}
		if got := strings.TrimRight(term.text(), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTerminalScrolls(t *testing.T) {
	term := newTerminal(10, 3)
	term.write([]byte("1\r\n2\r\n3\r\n4"))
	if got := term.text(); got != "2\n3\n4\n" {
		t.Errorf("%q", got)
	}
}

// Whatever a serial line says, the reader survives it.
func FuzzTerminal(f *testing.F) {
	f.Add([]byte("\x1b[2J\x1b[1;1Hhello\x1b[K\x1b]0;t\x07\x1b(B"))
	f.Add([]byte("\x1b[999999999999H\x1b[-1A\x1b[1J\t\b\b\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		term, plain := newTerminal(20, 5), plainText{}
		term.write(b)
		plain.write(b)
		if n := strings.Count(term.text(), "\n"); n != 5 {
			t.Errorf("%d rows", n)
		}
	})
}
