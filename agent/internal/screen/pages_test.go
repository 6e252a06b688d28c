package screen

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden screens anew")

func testNow() time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC) }

func testFacts() Facts {
	return Facts{Model: "Example Inc. Workstation 9000", Serial: "SN-4711", Firmware: "UEFI", Memory: "16384 MiB",
		MAC: "52:54:00:12:34:56", Address: "192.0.2.50", Appliance: "192.0.2.1:8443", Image: "4f3a9c12e0b7", Keyboard: "German"}
}

func typeText(p Page, text string) {
	for _, r := range text {
		p.Key(Key{Rune, r})
	}
}

// pages returns every page in every state that a person can meet.
func pages() map[string]func() Page {
	passcode := func(set func(*Passcode)) func() Page {
		return func() Page {
			p := NewPasscode("", testNow)
			typeText(p, "geheim ß")
			set(p)
			return p
		}
	}
	return map[string]func() Page{
		"passcode":             passcode(func(*Passcode) {}),
		"passcode-shown":       passcode(func(p *Passcode) { p.Key(Key{Ctrl, 'r'}) }),
		"passcode-checking":    passcode(func(p *Passcode) { p.Key(Key{Code: Enter}) }),
		"passcode-refused":     passcode(func(p *Passcode) { p.Refuse("Passcode not accepted") }),
		"passcode-unreachable": passcode(func(p *Passcode) { p.Unreachable("No answer from the appliance: no answer in time") }),
		"passcode-throttled":   passcode(func(p *Passcode) { p.Throttle(testNow().Add(29500*time.Millisecond), "") }),
		"passcode-held":        passcode(func(p *Passcode) { p.Throttle(testNow().Add(time.Hour), "K7QM") }),
		"passcode-warning":     func() Page { return NewPasscode("The appliance has no passcode yet: nothing is accepted.", testNow) },
		"no-adapter": func() Page {
			n := NewNotice("Network", "No network adapter found", Trouble)
			n.Text = "This computer needs a wired network adapter that this boot image has a driver for."
			n.List = []string{"8086:15bc: this boot image has no driver for it", "14e4:1639: driver bnx2 present, firmware missing: bnx2/bnx2-mips-09-6.2.1b.fw"}
			n.Next, n.Until, n.Actions = "Looking again", testNow().Add(10*time.Second), []Action{ActionRetry()}
			return n
		},
		"no-answer": func() Page {
			n := NewNotice("Appliance", "No answer from the appliance", Trouble)
			n.Text = "It was looked for here:"
			n.List = []string{"192.0.2.1:8443 (boot loader): connection refused: nothing listens there", "198.51.100.7:8443 (DHCP): no answer in time"}
			n.Next, n.Until, n.Actions = "Trying again", testNow().Add(15*time.Second), []Action{ActionRetry(), ActionAddress()}
			return n
		},
		"waiting-for-disk": func() Page {
			n := NewNotice("Starting", "Waiting for the disk", Calm)
			n.Text = "The deployment of this computer is unfinished. It goes on by itself as soon as its disk shows itself."
			n.Next, n.Until, n.Actions = "Asking for a sign-in", testNow().Add(20*time.Second), []Action{ActionSkip()}
			return n
		},
		"choice": func() Page {
			var items []Item
			for i := range 12 {
				items = append(items, Item{fmt.Sprintf("Sequence %d", i+1), "What it does, in a line or two that is long enough to be broken in the middle of it."})
			}
			p := NewChoice("Task sequences", "Choose a task sequence", items, ActionRefresh())
			p.Key(Key{Code: PageDown})
			return p
		},
		"progress": func() Page {
			p := NewProgress("Windows 11 for offices", 4, testNow().Add(-83*time.Second))
			p.Number, p.Step, p.Percent, p.Detail = 2, "Apply the operating system", 50, "4.1 of 8.2 GB"
			for i := range 30 {
				p.Log(fmt.Sprintf("line %d\tof output", i))
			}
			return p
		},
		"question": func() Page {
			return NewChoice("Interrupted step", "\"Format the disk\" was interrupted while it ran, and it is not known how far it came. Run it again?",
				[]Item{{"Run it again", "Choose this when doing it twice does no harm."}, {"Do not run it again", "The step counts as failed."}})
		},
		"progress-lost": func() Page {
			p := NewProgress("Windows 11 for offices", 4, testNow())
			p.Number, p.Step, p.Alert = 1, "Format the disk", "No answer from the appliance since 09:26:40: no answer in time"
			return p
		},
		"succeeded": func() Page {
			n := NewNotice("Hello from Slipway", "Succeeded", Success)
			n.Text, n.Tail = "The task sequence \"Hello from Slipway\" is done.", []string{"Hello from Slipway", "Linux 6.1"}
			n.Next, n.Until, n.Actions = "Restarting the computer", testNow().Add(time.Hour), []Action{ActionRestart()}
			return n
		},
		"failed": func() Page {
			n := NewNotice("Hello from Slipway", "Failed", Trouble)
			n.Text = "Step \"Format the disk\" failed:\nthe command ended with exit code 3"
			n.Actions = []Action{ActionRestart(), ActionSignIn()}
			return n
		},
		"entra":      func() Page { return entraPage(entraURI, entraComplete) },
		"entra-long": func() Page { return entraPage(longComplete, "") },
		"entra-provider-down": func() Page {
			p := entraPage(entraURI, "")
			p.said, p.Trouble, p.Retry = "Certificate not accepted; trying Entra ID", "The sign-in provider does not answer", testNow().Add(5*time.Second)
			return p
		},
		"passcode-other": func() Page {
			p := NewPasscode("Certificate not accepted; trying the passcode", testNow)
			p.Other = true
			return p
		},
		"address": func() Page {
			p := NewAddress("slipway.example.org")
			p.Refuse("this is not an address")
			return p
		},
	}
}

func TestGoldenScreens(t *testing.T) {
	for name, page := range pages() {
		t.Run(name, func(t *testing.T) {
			c := NewCanvas(80, 25, false)
			compose(c, page(), Frame{testNow(), testFacts()}, []Hint{hintDetails(), hintPower()})
			compareGolden(t, name, c.String())
		})
	}
}

// TestGoldenWarning shows every page below the lasting warning, on the smallest screen.
func TestGoldenWarning(t *testing.T) {
	f := testFacts()
	f.Warning = "Anyone may deploy here: anonymous sign-in is switched on."
	for _, name := range []string{"choice", "progress", "succeeded", "failed", "no-answer", "entra"} {
		c := NewCanvas(80, 24, true)
		compose(c, pages()[name](), Frame{testNow(), f}, []Hint{hintDetails(), hintPower()})
		compareGolden(t, "warning-"+name, c.String())
	}
}

// TestGoldenPlain shows the sign-in where no half blocks are.
func TestGoldenPlain(t *testing.T) {
	c := NewCanvas(80, 24, true)
	c.Plain = true
	compose(c, pages()["entra"](), Frame{testNow(), testFacts()}, nil)
	compareGolden(t, "entra-plain", c.String())
}

func TestGoldenTallScreen(t *testing.T) {
	c := NewCanvas(160, 50, false)
	compose(c, pages()["passcode"](), Frame{testNow(), testFacts()}, nil)
	compareGolden(t, "tall", c.String())
}

func TestTroubleOfTheNetworkIsShownDuringAStep(t *testing.T) {
	facts := testFacts()
	facts.Note = "The lease of 192.0.2.50 is not renewed"
	c := NewCanvas(80, 24, true)
	compose(c, pages()["progress"](), Frame{testNow(), facts}, nil)
	if !strings.Contains(c.String(), facts.Note) {
		t.Errorf("not shown:\n%s", c)
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen changed:\n%s\nwant:\n%s", got, want)
	}
}

// TestPagesFitEveryScreen: nothing may panic or write outside, however small.
func TestPagesFitEveryScreen(t *testing.T) {
	for name, page := range pages() {
		for _, size := range [][2]int{{40, 16}, {80, 24}, {132, 43}, {240, 67}} {
			c := NewCanvas(size[0], size[1], true)
			compose(c, page(), Frame{testNow(), testFacts()}, nil)
			if c.CursorX >= c.W || c.CursorY >= c.H {
				t.Errorf("%s on %v: cursor at %d,%d", name, size, c.CursorX, c.CursorY)
			}
		}
	}
}

func TestTypedTextIsNeverShownUnasked(t *testing.T) {
	for _, serial := range []bool{false, true} {
		p := NewPasscode("", testNow)
		typeText(p, "geheim")
		c := NewCanvas(80, 25, serial)
		compose(c, p, Frame{testNow(), testFacts()}, nil)
		if strings.Contains(c.String(), "geheim") || !strings.Contains(c.String(), "******") {
			t.Error("the passcode can be read on the screen")
		}
	}
}

func TestPasscodeAnswersAndStates(t *testing.T) {
	now := testNow()
	p := NewPasscode("", func() time.Time { return now })
	enter := func() (string, bool) {
		p.Key(Key{Code: Enter})
		select {
		case text := <-p.Answers():
			return text, true
		default:
			return "", false
		}
	}
	if _, ok := enter(); ok {
		t.Error("an empty passcode was sent")
	}
	typeText(p, "abx")
	p.Key(Key{Code: Backspace})
	typeText(p, "c")
	if text, ok := enter(); !ok || text != "abc" {
		t.Errorf("got %q, %v", text, ok)
	}
	typeText(p, "zzz") // while it is checked, nothing is typed or sent
	if _, ok := enter(); ok {
		t.Error("sent twice")
	}
	p.Refuse("Passcode not accepted")
	typeText(p, "d")
	p.Throttle(now.Add(30*time.Second), "")
	typeText(p, "d")
	if _, ok := enter(); ok {
		t.Error("sent during the wait")
	}
	now = now.Add(30 * time.Second)
	if text, ok := enter(); !ok || text != "d" {
		t.Errorf("after the wait: %q, %v", text, ok)
	}
	p.Throttle(now.Add(time.Hour), "K7QM")
	typeText(p, "e")
	if text, ok := enter(); !ok || text != "e" {
		t.Errorf("a held device may try at any time, since it can be released: %q, %v", text, ok)
	}
	p.Unreachable("No answer")
	if text, ok := enter(); !ok || text != "e" {
		t.Errorf("what was typed is lost: %q", text)
	}
}

func TestChoiceKeys(t *testing.T) {
	items := make([]Item, 12)
	tests := []struct {
		keys []Key
		want int
	}{
		{[]Key{{Code: Enter}}, 0},
		{[]Key{{Code: Down}, {Code: Down}, {Code: Up}, {Code: Enter}}, 1},
		{[]Key{{Rune, '3'}}, 2},
		{[]Key{{Code: PageDown}, {Rune, '2'}}, 10},
		{[]Key{{Rune, 'n'}, {Rune, '9'}, {Code: Enter}}, 9}, // there is no ninth on the second page
		{[]Key{{Code: End}, {Code: Down}, {Code: Enter}}, 11},
		{[]Key{{Code: End}, {Code: Home}, {Code: Up}, {Code: Enter}}, 0},
	}
	for _, tt := range tests {
		p := NewChoice("", "", items)
		for _, k := range tt.keys {
			p.Key(k)
		}
		select {
		case got := <-p.Chosen():
			if got != tt.want {
				t.Errorf("%v chose %d, want %d", tt.keys, got, tt.want)
			}
		default:
			t.Errorf("%v chose nothing", tt.keys)
		}
	}
}

func TestWrapAndCut(t *testing.T) {
	if got := strings.Join(Wrap("aa bb ccc\ndddddd", 5), "|"); got != "aa bb|ccc|ddddd|d" {
		t.Errorf("wrapped to %q", got)
	}
	if got := Cut("äbcdefgh", 6); got != "äbcd.." {
		t.Errorf("cut to %q", got)
	}
}
