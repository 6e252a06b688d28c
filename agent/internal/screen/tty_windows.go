package screen

import (
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// OpenConsole opens the console that this process has: that of WinPE, or the window of
// the command line.
func OpenConsole() (*Terminal, error) {
	in, err := openHandle("CONIN$")
	if err != nil {
		return nil, fmt.Errorf("open the console for reading: %w", err)
	}
	out, err := openHandle("CONOUT$")
	if err != nil {
		_ = windows.CloseHandle(in)
		return nil, fmt.Errorf("open the console for writing: %w", err)
	}
	c := &winConsole{in: in, out: out}
	if err := c.setUp(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return NewTerminal("console", false, c, c.size), nil
}

func openHandle(name string) (windows.Handle, error) {
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(wide, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil,
		windows.OPEN_EXISTING, 0, 0)
}

// winConsole implements Device. Keys are read as events, so that old consoles give
// all of them.
type winConsole struct {
	in, out         windows.Handle
	inMode, outMode uint32 // as they were

	mu       sync.Mutex // of the fields below
	closed   bool
	deadline time.Time

	half uint16 // first half of a surrogate pair
	rest []byte // of a key, for the next Read
}

// setUp lets every key through, Ctrl-C included, and has the console understand the
// sequences of terminals.
func (c *winConsole) setUp() error {
	if err := windows.GetConsoleMode(c.in, &c.inMode); err != nil {
		return fmt.Errorf("the console's keys: %w", err)
	}
	if err := windows.GetConsoleMode(c.out, &c.outMode); err != nil {
		return fmt.Errorf("the console's screen: %w", err)
	}
	if err := windows.SetConsoleMode(c.in, windows.ENABLE_EXTENDED_FLAGS|windows.ENABLE_WINDOW_INPUT); err != nil {
		return fmt.Errorf("set up the console's keys: %w", err)
	}
	const out = windows.ENABLE_PROCESSED_OUTPUT | windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING | windows.DISABLE_NEWLINE_AUTO_RETURN
	if err := windows.SetConsoleMode(c.out, out); err != nil {
		return fmt.Errorf("set up the console's screen (Windows 10 or newer is needed): %w", err)
	}
	return nil
}

func (c *winConsole) size() (w, h int) {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(c.out, &info) != nil {
		return 80, 24
	}
	w, h = int(info.Window.Right-info.Window.Left)+1, int(info.Window.Bottom-info.Window.Top)+1
	if w < 40 || h < 16 {
		return 80, 24
	}
	return min(w, 300), min(h, 100)
}

// SetReadDeadline implements Device.
func (c *winConsole) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// Read implements io.Reader. It never waits longer than the deadline says.
func (c *winConsole) Read(p []byte) (int, error) {
	for {
		if len(c.rest) > 0 {
			n := copy(p, c.rest)
			c.rest = c.rest[n:]
			return n, nil
		}
		c.mu.Lock()
		closed, deadline := c.closed, c.deadline
		c.mu.Unlock()
		left := time.Until(deadline)
		switch {
		case closed:
			return 0, os.ErrClosed
		case left <= 0:
			return 0, os.ErrDeadlineExceeded
		}
		event, err := windows.WaitForSingleObject(c.in, uint32(left.Milliseconds())+1)
		if err != nil {
			return 0, err
		}
		if event == windows.WAIT_OBJECT_0 {
			if err := c.take(); err != nil {
				return 0, err
			}
		}
	}
}

var readConsoleInput = windows.NewLazySystemDLL("kernel32.dll").NewProc("ReadConsoleInputW")

// inputRecord is INPUT_RECORD with its largest member, KEY_EVENT_RECORD.
type inputRecord struct {
	kind     uint16
	_        uint16
	down     int32
	repeat   uint16
	vk, scan uint16
	char     uint16
	state    uint32
}

// take reads the events that there are.
func (c *winConsole) take() error {
	var records [16]inputRecord
	var n uint32
	ok, _, err := readConsoleInput.Call(uintptr(c.in), uintptr(unsafe.Pointer(&records[0])), uintptr(len(records)), uintptr(unsafe.Pointer(&n)))
	if ok == 0 {
		return fmt.Errorf("read the console's keys: %w", err)
	}
	const key = 1
	for _, r := range records[:n] {
		if r.kind != key || r.down == 0 {
			continue
		}
		var text string
		text, c.half = consoleKey(r.vk, r.char, c.half)
		for range max(1, r.repeat) {
			c.rest = append(c.rest, text...)
		}
	}
	return nil
}

// Write implements io.Writer: the bytes are UTF-8.
func (c *winConsole) Write(p []byte) (int, error) {
	wide, err := windows.UTF16FromString(string(p))
	if err != nil {
		return 0, err
	}
	for wide = wide[:len(wide)-1]; len(wide) > 0; {
		var n uint32
		if err := windows.WriteConsole(c.out, &wide[0], uint32(min(len(wide), 8000)), &n, nil); err != nil {
			return 0, err
		}
		wide = wide[n:]
	}
	return len(p), nil
}

// Close gives the console back as it was.
func (c *winConsole) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	_ = windows.SetConsoleMode(c.in, c.inMode)
	_ = windows.SetConsoleMode(c.out, c.outMode)
	_ = windows.CloseHandle(c.in)
	return windows.CloseHandle(c.out)
}
