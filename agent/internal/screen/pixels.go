package screen

import (
	"rsc.io/qr"
)

// drawPixels draws a picture of w times h pixels: one column of cells for each
// column of pixels, and two rows of pixels in each line, as half blocks.
func drawPixels(c *Canvas, x, y, w, h int, s Style, on func(x, y int) bool) {
	c.Blocks = true
	for row := 0; row < h; row += 2 {
		for col := range w {
			r := ' '
			switch top, bottom := on(col, row), on(col, row+1); {
			case top && bottom:
				r = '█'
			case top:
				r = '▀'
			case bottom:
				r = '▄'
			}
			c.Put(x+col, y+row/2, r, s)
		}
	}
}

// The quiet zone of a QR code, in modules: what the standard (ISO/IEC 18004,
// 9.1) asks for, and what phones still read where the screen has no more room.
const (
	quietZone     = 4
	quietZoneTold = 2
)

// symbol is a QR code as it is drawn.
type symbol struct {
	code  *qr.Code
	quiet int // modules around it
	scale int // pixels of a module; a pixel is a column wide and half a line high
}

// newSymbol returns the QR code of a text for a space of cols times rows cells,
// nil when it does not fit: with the quiet zone of the standard if it can, as
// large as it may without filling more than three fifths of a tall screen, and
// with the best error correction of its size.
func newSymbol(text string, cols, rows, tall int) *symbol {
	if text == "" || len(text) > 200 {
		return nil
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	for _, level := range []qr.Level{qr.M, qr.Q, qr.H} {
		if better, err := qr.Encode(text, level); err == nil && better.Size == code.Size {
			code = better
		}
	}
	for quiet := quietZone; quiet >= quietZoneTold; quiet-- {
		s := &symbol{code, quiet, 1}
		if s.cols() > cols || s.rows() > rows {
			continue
		}
		for {
			larger := &symbol{code, quiet, s.scale + 1}
			if larger.cols() > cols || larger.rows() > rows || larger.rows()*5 > tall*3 {
				return s
			}
			s = larger
		}
	}
	return nil
}

func (s *symbol) pixels() int { return (s.code.Size + 2*s.quiet) * s.scale }
func (s *symbol) cols() int   { return s.pixels() }
func (s *symbol) rows() int   { return (s.pixels() + 1) / 2 }

// draw draws the symbol: the light modules are the bright pixels, so that it
// stands dark on light on every screen.
func (s *symbol) draw(c *Canvas, x, y int) {
	drawPixels(c, x, y, s.cols(), 2*s.rows(), Pixel, func(px, py int) bool {
		return !s.code.Black(px/s.scale-s.quiet, py/s.scale-s.quiet) || py >= s.pixels()
	})
}

// The letters of codes: five pixels wide and seven high, with a blank column
// and row after them.
const (
	letterCols = 6
	letterRows = 4 // lines of the screen
)

// letter returns the rows of a letter, the leftmost pixel in the highest of five
// bits. ok is false for what codes are not made of.
func letter(r rune) (rows [7]byte, ok bool) {
	const letters = "" +
		"A\x0e\x11\x11\x1f\x11\x11\x11" + "B\x1e\x11\x11\x1e\x11\x11\x1e" + "C\x0e\x11\x10\x10\x10\x11\x0e" +
		"D\x1e\x11\x11\x11\x11\x11\x1e" + "E\x1f\x10\x10\x1e\x10\x10\x1f" + "F\x1f\x10\x10\x1e\x10\x10\x10" +
		"G\x0e\x11\x10\x17\x11\x11\x0e" + "H\x11\x11\x11\x1f\x11\x11\x11" + "I\x0e\x04\x04\x04\x04\x04\x0e" +
		"J\x07\x02\x02\x02\x02\x12\x0c" + "K\x11\x12\x14\x18\x14\x12\x11" + "L\x10\x10\x10\x10\x10\x10\x1f" +
		"M\x11\x1b\x15\x15\x11\x11\x11" + "N\x11\x11\x19\x15\x13\x11\x11" + "O\x0e\x11\x11\x11\x11\x11\x0e" +
		"P\x1e\x11\x11\x1e\x10\x10\x10" + "Q\x0e\x11\x11\x11\x15\x12\x0d" + "R\x1e\x11\x11\x1e\x14\x12\x11" +
		"S\x0f\x10\x10\x0e\x01\x01\x1e" + "T\x1f\x04\x04\x04\x04\x04\x04" + "U\x11\x11\x11\x11\x11\x11\x0e" +
		"V\x11\x11\x11\x11\x11\x0a\x04" + "W\x11\x11\x11\x15\x15\x15\x0a" + "X\x11\x11\x0a\x04\x0a\x11\x11" +
		"Y\x11\x11\x0a\x04\x04\x04\x04" + "Z\x1f\x01\x02\x04\x08\x10\x1f" + "0\x0e\x11\x13\x15\x19\x11\x0e" +
		"1\x04\x0c\x04\x04\x04\x04\x0e" + "2\x0e\x11\x01\x02\x04\x08\x1f" + "3\x1f\x02\x04\x02\x01\x11\x0e" +
		"4\x02\x06\x0a\x12\x1f\x02\x02" + "5\x1f\x10\x1e\x01\x01\x11\x0e" + "6\x06\x08\x10\x1e\x11\x11\x0e" +
		"7\x1f\x01\x02\x04\x08\x08\x08" + "8\x0e\x11\x11\x0e\x11\x11\x0e" + "9\x0e\x11\x11\x0f\x01\x02\x0c" +
		"-\x00\x00\x00\x0e\x00\x00\x00"
	for i := 0; i < len(letters); i += 8 {
		if rune(letters[i]) == r {
			copy(rows[:], letters[i+1:i+8])
			return rows, true
		}
	}
	return rows, false
}

// bigLines breaks a code into lines of at most cols columns of big letters, at
// its hyphens where it has some. It returns nothing for a code that has other
// characters or is too long for two lines.
func bigLines(code string, cols int) []string {
	for _, r := range code {
		if _, ok := letter(r); !ok {
			return nil
		}
	}
	width := (cols + 1) / letterCols
	switch n := len(code); {
	case n == 0 || n > 2*width:
		return nil
	case n <= width:
		return []string{code}
	default:
		half := (n + 1) / 2
		for _, at := range []int{half - 1, half, half - 2, half + 1} {
			if at > 0 && at < n && code[at] == '-' && at+1 <= width && n-at-1 <= width {
				return []string{code[:at+1], code[at+1:]}
			}
		}
		return []string{code[:half], code[half:]}
	}
}

// drawBig draws one line of big letters.
func drawBig(c *Canvas, x, y int, text string) {
	for i, r := range text {
		rows, _ := letter(r)
		drawPixels(c, x+i*letterCols, y, letterCols-1, 2*letterRows, Pixel, func(px, py int) bool {
			return py < len(rows) && rows[py]>>(4-px)&1 == 1
		})
	}
}
