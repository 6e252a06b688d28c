package lab

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapes finds the control sequences (ECMA-48: CSI, OSC and two-character
// ones) in a stream that comes in pieces.
type escapes struct {
	pending []byte
}

// feed calls text for every printable or C0 character and csi for every complete
// CSI sequence; other sequences are dropped. What is incomplete waits.
func (e *escapes) feed(p []byte, text func(rune), csi func(final byte, params string)) {
	b := append(e.pending, p...)
	for len(b) > 0 {
		n, ok := e.one(b, text, csi)
		if !ok {
			if len(b) > 4096 { // no sequence is that long: it is noise
				b = nil
			}
			break
		}
		b = b[n:]
	}
	e.pending = append([]byte(nil), b...)
}

// one consumes one character or sequence. ok is false when more bytes are needed.
func (e *escapes) one(b []byte, text func(rune), csi func(byte, string)) (n int, ok bool) {
	if b[0] != 0x1b {
		if !utf8.FullRune(b) {
			return 0, false
		}
		r, size := utf8.DecodeRune(b)
		text(r)
		return size, true
	}
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				csi(b[i], string(b[2:i]))
				return i + 1, true
			}
		}
		return 0, false
	case ']':
		for i := 2; i < len(b); i++ {
			if b[i] == 0x07 {
				return i + 1, true
			}
			if b[i] == '\\' && b[i-1] == 0x1b {
				return i + 1, true
			}
		}
		return 0, false
	case '(', ')', '#', '%':
		if len(b) < 3 {
			return 0, false
		}
		return 3, true
	}
	return 2, true
}

// plainText is a stream with its control sequences taken out. A movement of the
// cursor becomes a line break, so that words of different places do not join.
type plainText struct {
	escapes
	b strings.Builder
}

func (t *plainText) write(p []byte) {
	t.feed(p, func(r rune) {
		if r >= ' ' || r == '\n' || r == '\t' {
			t.b.WriteRune(r)
		}
	}, func(final byte, _ string) {
		if strings.IndexByte("HfABCDEFGd", final) >= 0 {
			t.b.WriteByte('\n')
		}
	})
}

func (t *plainText) text() string { return t.b.String() }

// terminal shows a stream the way a VT100 would, as far as our screens and
// firmware use one: no colours, no scroll regions.
type terminal struct {
	escapes
	cols, rows int
	x, y       int
	cells      [][]rune
}

func newTerminal(cols, rows int) *terminal {
	t := &terminal{cols: cols, rows: rows}
	for range rows {
		t.cells = append(t.cells, blankRow(cols))
	}
	return t
}

func blankRow(n int) []rune { return []rune(strings.Repeat(" ", n)) }

func (t *terminal) write(p []byte) { t.feed(p, t.put, t.control) }

func (t *terminal) text() string {
	var b strings.Builder
	for _, row := range t.cells {
		b.WriteString(strings.TrimRight(string(row), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

func (t *terminal) put(r rune) {
	switch {
	case r == '\r':
		t.x = 0
	case r == '\n':
		t.lineFeed()
	case r == '\b':
		t.x = max(0, t.x-1)
	case r == '\t':
		t.x = min(t.cols-1, (t.x/8+1)*8)
	case r >= ' ' && r != 0x7f:
		if t.x >= t.cols {
			t.x = 0
			t.lineFeed()
		}
		t.cells[t.y][t.x] = r
		t.x++
	}
}

func (t *terminal) lineFeed() {
	if t.y < t.rows-1 {
		t.y++
		return
	}
	t.cells = append(t.cells[1:], blankRow(t.cols))
}

// control carries out one CSI sequence.
func (t *terminal) control(final byte, params string) {
	arg := func(i, missing int) int {
		f := strings.Split(params, ";")
		if i >= len(f) {
			return missing
		}
		n, err := strconv.Atoi(f[i])
		if err != nil || n == 0 || n > 10000 {
			return missing
		}
		return n
	}
	switch final {
	case 'H', 'f':
		t.move(arg(1, 1)-1, arg(0, 1)-1)
	case 'A':
		t.move(t.x, t.y-arg(0, 1))
	case 'B':
		t.move(t.x, t.y+arg(0, 1))
	case 'C':
		t.move(t.x+arg(0, 1), t.y)
	case 'D':
		t.move(t.x-arg(0, 1), t.y)
	case 'G':
		t.move(arg(0, 1)-1, t.y)
	case 'd':
		t.move(t.x, arg(0, 1)-1)
	case 'J':
		t.eraseDisplay(params)
	case 'K':
		t.eraseLine(params)
	}
}

func (t *terminal) move(x, y int) {
	t.x, t.y = max(0, min(x, t.cols-1)), max(0, min(y, t.rows-1))
}

func (t *terminal) eraseDisplay(params string) {
	switch params {
	case "2", "3":
		for y := range t.cells {
			t.cells[y] = blankRow(t.cols)
		}
	case "", "0":
		t.eraseLine("")
		for y := t.y + 1; y < t.rows; y++ {
			t.cells[y] = blankRow(t.cols)
		}
	case "1":
		t.eraseLine("1")
		for y := range t.y {
			t.cells[y] = blankRow(t.cols)
		}
	}
}

func (t *terminal) eraseLine(params string) {
	from, to := min(t.x, t.cols), t.cols
	switch params {
	case "1":
		from, to = 0, min(t.x+1, t.cols)
	case "2":
		from = 0
	}
	for x := from; x < to; x++ {
		t.cells[t.y][x] = ' '
	}
}
