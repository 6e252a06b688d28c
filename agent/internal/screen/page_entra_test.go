package screen

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// glass is a terminal's screen made of what a renderer wrote: cells of 8 by 16
// dots, as the video console and terminal programs show them.
type glass struct {
	w, h   int
	x, y   int
	fg, bg color.Gray
	lines  bool // VT100 special graphics
	dots   *image.Gray
	text   [][]rune
	paper  color.Gray // the terminal's own background
}

const dotsX, dotsY = 8, 16

func newGlass(w, h int, paper color.Gray) *glass {
	g := &glass{w: w, h: h, paper: paper, dots: image.NewGray(image.Rect(0, 0, w*dotsX, h*dotsY))}
	for range h {
		g.text = append(g.text, []rune(strings.Repeat(" ", w)))
	}
	g.sgr("0")
	return g
}

func (g *glass) sgr(params string) {
	for p := range strings.SplitSeq(params, ";") {
		switch n, _ := strconv.Atoi(p); {
		case n == 0:
			g.fg, g.bg = color.Gray{255 - g.paper.Y}, g.paper
		case n >= 30 && n <= 37:
			g.fg = color.Gray{uint8((n - 30) * 24)}
		case n == 97:
			g.fg = color.Gray{255}
		case n >= 90 && n <= 96:
			g.fg = color.Gray{200}
		case n == 40:
			g.bg = color.Gray{0}
		case n >= 41 && n <= 47:
			g.bg = color.Gray{uint8((n - 40) * 24)}
		}
	}
}

func (g *glass) put(r rune) {
	top, bottom := false, false
	switch r {
	case '█':
		top, bottom = true, true
	case '▀':
		top = true
	case '▄':
		bottom = true
	}
	for j := range dotsY {
		for i := range dotsX {
			dot := g.bg
			if j < dotsY/2 && top || j >= dotsY/2 && bottom {
				dot = g.fg
			}
			if !top && !bottom && r != ' ' && j > 3 && j < 13 && i > 0 && i < 7 && (i+j)%2 == 0 { // some letter
				dot = g.fg
			}
			g.dots.SetGray(g.x*dotsX+i, g.y*dotsY+j, dot)
		}
	}
	if g.x < g.w && g.y < g.h {
		g.text[g.y][g.x] = r
	}
	g.x++
}

func (g *glass) write(t *testing.T, p []byte) {
	t.Helper()
	for len(p) > 0 {
		if p[0] != 0x1b {
			r, n := utf8.DecodeRune(p)
			p = p[n:]
			g.put(r)
			continue
		}
		switch p[1] {
		case '(', '%':
			g.lines = p[2] == '0'
			p = p[3:]
		case '[':
			end := bytes.IndexFunc(p[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e }) + 2
			switch params := string(p[2:end]); p[end] {
			case 'H':
				if _, err := fmt.Sscanf(params, "%d;%d", &g.y, &g.x); err != nil {
					t.Fatalf("move to %q", params)
				}
				g.x, g.y = g.x-1, g.y-1
			case 'm':
				g.sgr(params)
			}
			p = p[end+1:]
		default:
			t.Fatalf("unknown sequence %q", p[:min(len(p), 8)])
		}
	}
}

func (g *glass) String() string {
	var b strings.Builder
	for _, line := range g.text {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}

// scan reads the QR codes of a picture with a decoder that is not ours.
func scan(t *testing.T, img image.Image) string {
	t.Helper()
	if _, err := exec.LookPath("zbarimg"); err != nil {
		t.Fatal("zbarimg is not installed: `make test` installs it (Debian package zbar-tools)")
	}
	path := filepath.Join(t.TempDir(), "screen.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", path).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

const (
	entraURI      = "https://microsoft.com/devicelogin"
	entraComplete = "https://login.example.org/device?user_code=BDFH-KMPR"
	longComplete  = "https://sign-in.identity.department.university.example.org/realms/workstations/device?user_code=BDFH-KMPR"
)

func entraPage(uri, complete string) *Entra {
	p := NewEntra("", false)
	p.Code, p.URI, p.Complete, p.Until = "BDFH-KMPR", uri, complete, testNow().Add(14*time.Minute+32*time.Second)
	return p
}

// TestTheQRCodeIsReadFromTheScreen draws the page as it comes out of a renderer and
// reads the picture: on the video console and serial lines, on every size, on a
// terminal with black and one with white paper, beside a lasting warning.
func TestTheQRCodeIsReadFromTheScreen(t *testing.T) {
	sizes := []struct {
		name   string
		w, h   int
		serial bool
		paper  uint8
	}{
		{"serial", 80, 24, true, 0}, {"serial, light paper", 80, 24, true, 255}, {"VGA text", 80, 25, false, 0},
		{"1024x768", 128, 48, false, 0}, {"1280x800", 160, 50, false, 0}, {"1920x1080", 240, 67, false, 0}, {"large", 300, 100, false, 0},
	}
	texts := []struct{ name, uri, complete, serial, large string }{
		{"address only", entraURI, "", entraURI, entraURI},
		{"with the code", entraURI, entraComplete, entraComplete, entraComplete},
		{"long", entraURI, longComplete, entraURI, longComplete},
	}
	for _, size := range sizes {
		for _, text := range texts {
			for _, warning := range []string{"", "Anyone may deploy here"} {
				want := text.large
				if size.h < 30 {
					want = text.serial
				}
				facts := testFacts()
				facts.Warning = warning
				c := NewCanvas(size.w, size.h, size.serial)
				compose(c, entraPage(text.uri, text.complete), Frame{testNow(), facts}, nil)
				g := newGlass(size.w, size.h, color.Gray{size.paper})
				g.write(t, NewRenderer(size.serial).Frame(c))
				if got := scan(t, g.dots); got != want {
					t.Errorf("%s, %s, warning %q: reads %q\n%s", size.name, text.name, warning, got, g)
				}
				if dir := os.Getenv("SLIPWAY_SCREENS"); dir != "" {
					f, _ := os.Create(filepath.Join(dir, size.name+"-"+text.name+".png"))
					_ = png.Encode(f, g.dots)
					f.Close()
				}
			}
		}
	}
}

// TestATerminalWithoutUTF8GetsNoBlocks answers the question for its encoding.
func TestATerminalWithoutUTF8GetsNoBlocks(t *testing.T) {
	p := entraPage(entraURI, entraComplete)
	_, _, serial := startDisplay(t, Options{}, p)
	serial.wait(t, question)
	serial.wait(t, "▀▀▀")
	serial.forget()
	serial.send(t, "\x1b[1;3R") // two characters were shown for é
	serial.wait(t, "Open on a phone or another computer")
	serial.forget()
	serial.send(t, "\x1b[1;2R")
	serial.wait(t, "▀▀▀")
}

// TestTheKeysOfTheEntraPage are a new code, and another way where there is one.
func TestTheKeysOfTheEntraPage(t *testing.T) {
	for _, other := range []bool{false, true} {
		p := NewEntra("", other)
		p.Key(Key{Code: F6})
		select {
		case got := <-p.Chosen():
			if !other || got != EntraOther {
				t.Errorf("F6 gives %q", got)
			}
		default:
			if other {
				t.Error("F6 does nothing")
			}
		}
		p.Key(Key{Ctrl, 't'})
		if got := <-p.Chosen(); got != EntraNewCode {
			t.Errorf("Ctrl-T gives %q", got)
		}
	}
}

// FuzzEntraPage draws what a provider may answer with, on screens of any size: it
// never panics, and the frame stays whole.
func FuzzEntraPage(f *testing.F) {
	f.Add("BDFH-KMPR", entraURI, entraComplete, "", uint8(80), uint8(24))
	f.Add("ABCDEFGHI", entraURI, "", "The sign-in provider does not answer", uint8(128), uint8(48))
	f.Add("", "", "", "", uint8(40), uint8(16))
	f.Add("BDFH-KMPR", strings.Repeat("long/", 99), "", strings.Repeat("why ", 99), uint8(41), uint8(17))
	f.Add("a\x1b[2Jb\u00e9", strings.Repeat("/", 300), longComplete, "x", uint8(255), uint8(100))
	f.Add(strings.Repeat("-", 12), strings.Repeat("é", 90), strings.Repeat("\xff", 150), strings.Repeat("wide ", 99), uint8(200), uint8(67))
	lowerEdge := regexp.MustCompile(`(?m)^ +└─+┘$`)
	f.Fuzz(func(t *testing.T, code, uri, complete, trouble string, w, h uint8) {
		c := NewCanvas(max(int(w), 40), max(int(h), 16), w%2 == 0)
		p := entraPage(uri, complete)
		p.Code, p.Trouble, p.Retry = code, trouble, testNow()
		compose(c, p, Frame{testNow(), testFacts()}, nil)
		if c.Cells[0] != (Cell{' ', Header}) || c.Cells[c.W-1] != (Cell{' ', Header}) {
			t.Errorf("the header is overdrawn:\n%s", c)
		}
		if !lowerEdge.MatchString(c.String()) {
			t.Errorf("the lower edge is overdrawn:\n%s", c)
		}
		for i, cell := range c.Cells {
			if cell.Rune < ' ' || cell.Rune >= 0x7f && cell.Rune < 0xa0 {
				t.Fatalf("cell %d holds the control character %q", i, cell.Rune)
			}
		}
	})
}
