package screen

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// console is the far end of a terminal: what a person sees and types.
type console struct {
	conn net.Conn
	mu   sync.Mutex
	seen strings.Builder
}

func newConsole(t *testing.T, name string, serial bool) (*Terminal, *console) {
	t.Helper()
	near, far := net.Pipe()
	c := &console{conn: far}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := far.Read(buf)
			c.mu.Lock()
			c.seen.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { far.Close() })
	return NewTerminal(name, serial, near, func() (int, int) { return 80, 24 }), c
}

func (c *console) wait(t *testing.T, text string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		c.mu.Lock()
		found := strings.Contains(c.seen.String(), text)
		c.mu.Unlock()
		if found {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%q was never shown", text)
}

func (c *console) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Reset()
}

func (c *console) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		t.Fatal(err)
	}
}

func startDisplay(t *testing.T, o Options, p Page) (*Display, *console, *console) {
	t.Helper()
	video, v := newConsole(t, "tty0", false)
	serial, s := newConsole(t, "ttyS0", true)
	d := NewDisplay(o, p, testFacts(), video, serial)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the display does not end")
		}
	})
	return d, v, s
}

func TestEitherConsoleMayType(t *testing.T) {
	p := NewPasscode("", time.Now)
	_, video, serial := startDisplay(t, Options{}, p)
	video.wait(t, "Passcode")
	serial.wait(t, "Passcode")
	video.send(t, "ab")
	serial.wait(t, "**")
	serial.send(t, "c\r")
	select {
	case text := <-p.Answers():
		if text != "abc" {
			t.Errorf("got %q", text)
		}
	case <-time.After(time.Minute):
		t.Fatal("no answer")
	}
	video.wait(t, "Checking the passcode")
}

func TestKeyboardChoice(t *testing.T) {
	chosen := make(chan string, 1)
	_, video, serial := startDisplay(t, Options{SetKeyboard: func(l Layout) error { chosen <- l.Code; return nil }}, NewPasscode("", time.Now))
	serial.send(t, "\x0b") // Ctrl-K
	video.wait(t, "Choose the keyboard layout")
	video.send(t, "5")
	if code := <-chosen; code != "fr" {
		t.Errorf("got %q", code)
	}
	serial.wait(t, "French")
}

func TestPowerAsksFirst(t *testing.T) {
	power := make(chan bool, 1)
	_, video, _ := startDisplay(t, Options{Power: func(off bool) { power <- off }}, NewPasscode("", time.Now))
	video.send(t, "\x1b[21~")
	video.wait(t, "Restart or power off?")
	video.send(t, "\r") // Back stands first
	video.forget()
	video.send(t, "\x1b[21~")
	video.wait(t, "Restart or power off?")
	select {
	case <-power:
		t.Fatal("happened without being asked for")
	default:
	}
	video.send(t, "3")
	if off := <-power; !off {
		t.Error("restarts instead of powering off")
	}
}

func TestShellBorrowsItsConsole(t *testing.T) {
	entered, leave := make(chan string), make(chan struct{})
	_, video, serial := startDisplay(t, Options{Shell: func(tty string) { entered <- tty; <-leave }}, NewPasscode("", time.Now))
	serial.wait(t, "Passcode")
	serial.send(t, "\x18") // Ctrl-X
	if tty := <-entered; tty != "ttyS0" {
		t.Errorf("shell on %q", tty)
	}
	serial.forget()
	close(leave)
	serial.wait(t, "Passcode") // painted anew
	video.wait(t, "Passcode")
}

func TestNoShellUnlessAllowed(t *testing.T) {
	p := NewPasscode("", time.Now)
	_, video, _ := startDisplay(t, Options{}, p)
	video.wait(t, "Passcode")
	video.mu.Lock()
	defer video.mu.Unlock()
	if strings.Contains(video.seen.String(), "Shell") {
		t.Error("a shell is offered")
	}
}

func TestLogPage(t *testing.T) {
	_, video, _ := startDisplay(t, Options{Log: func() []string { return []string{"drivers loaded"} }}, NewPasscode("", time.Now))
	video.send(t, "\x1b[19~")
	video.wait(t, "drivers loaded")
	video.forget()
	video.send(t, "\x1b")
	video.wait(t, "Passcode")
}

// TestASlowLineHoldsNobodyUp: a serial line that takes nothing must not stop
// the other console, nor fill memory.
func TestASlowLineHoldsNobodyUp(t *testing.T) {
	near, far := net.Pipe() // nobody reads far
	defer far.Close()
	stuck := NewTerminal("ttyS0", true, near, func() (int, int) { return 80, 24 })
	video, v := newConsole(t, "tty0", false)
	page := NewProgress("x", 200, time.Now())
	d := NewDisplay(Options{}, page, testFacts(), stuck, video)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	for i := range 150 {
		d.Update(func() { page.Number = i + 1 })
	}
	v.wait(t, "Step 150 of 200")
	if len(stuck.frames) > frameQueue {
		t.Errorf("%d frames wait", len(stuck.frames))
	}
	cancel()
	far.Close()
	<-done
}

// stopped is a line that takes nothing until it is let go.
type stopped struct {
	begun, letGo chan struct{}
	written      chan string
}

func (s *stopped) Read([]byte) (int, error)        { return 0, io.ErrClosedPipe }
func (s *stopped) SetReadDeadline(time.Time) error { return nil }
func (s *stopped) Close() error                    { return nil }
func (s *stopped) Write(p []byte) (int, error) {
	select {
	case s.begun <- struct{}{}:
	case <-s.letGo:
	}
	<-s.letGo
	select {
	case s.written <- string(p):
	default:
	}
	return len(p), nil
}

// Scroll Lock, or a serial line with flow control, stops one console: the others and
// whoever shows something go on.
func TestAStoppedLineStopsNobody(t *testing.T) {
	line := &stopped{begun: make(chan struct{}), letGo: make(chan struct{}), written: make(chan string, 2)}
	terminal := NewTerminal("tty0", false, line, func() (int, int) { return 80, 24 })
	d := NewDisplay(Options{}, NewNotice("Page", "What is shown", Calm), testFacts(), terminal)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	<-line.begun
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		d.key(input{terminal, Key{Code: Escape}})
		d.Update(func() {})
	}()
	select {
	case <-shown:
	case <-time.After(time.Minute):
		t.Error("the display waits for the line")
	}
	close(line.letGo)
	for range 2 { // the second frame is whole again
		select {
		case text := <-line.written:
			if !strings.Contains(text, "What is shown") {
				t.Errorf("a frame after the stop: %q", text)
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing is written any more")
		}
	}
	cancel()
	<-ended
}
