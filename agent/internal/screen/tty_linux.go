package screen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// OpenTTY opens a console device as a terminal: raw, with a size.
func OpenTTY(path string) (*Terminal, error) {
	l := &line{path: path}
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	size := func() (w, h int) {
		w, h = 80, 24
		_ = control(l.Load(), func(fd int) error { w, h = ttySize(fd); return nil })
		return w, h
	}
	return NewTerminal(name, !isVideo(name), l, size), nil
}

// line is a console's device. The kernel hangs it up, for everyone who has it open,
// when a shell whose terminal it was ends.
type line struct {
	path string
	atomic.Pointer[os.File]
}

func (l *line) Read(p []byte) (int, error)        { return l.Load().Read(p) }
func (l *line) Write(p []byte) (int, error)       { return l.Load().Write(p) }
func (l *line) Close() error                      { return l.Load().Close() }
func (l *line) SetReadDeadline(t time.Time) error { return l.Load().SetReadDeadline(t) }

// Reopen opens the device anew. Nobody may be reading or writing.
func (l *line) Reopen() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open the console: %w", err)
	}
	if err := control(f, makeRaw); err != nil {
		f.Close()
		return fmt.Errorf("set up the console %s: %w", l.path, err)
	}
	if old := l.Swap(f); old != nil {
		old.Close()
	}
	return nil
}

func control(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// isVideo tells the video console (tty0, tty1) from serial and virtio consoles.
func isVideo(name string) bool {
	number, ok := strings.CutPrefix(name, "tty")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// makeRaw switches off the line's own editing and echo. CLOCAL: a cable without
// carrier detect works too; no hardware flow control: a line nobody listens to must not block.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CRTSCTS
	t.Cflag |= unix.CS8 | unix.CLOCAL | unix.CREAD
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// ttySize asks for the size; a serial line has none and is taken as 80x24,
// which it is then told.
func ttySize(fd int) (w, h int) {
	ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil || ws.Col < 40 || ws.Row < 16 {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: 80, Row: 24})
		return 80, 24
	}
	return min(int(ws.Col), 300), min(int(ws.Row), 100)
}

// Cook switches a console to line editing for an interactive program and
// returns what switches it back.
func Cook(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("set up the console: %w", err)
	}
	t := *old
	t.Iflag |= unix.ICRNL | unix.IXON
	t.Oflag |= unix.OPOST | unix.ONLCR
	t.Lflag |= unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ICANON | unix.ISIG | unix.IEXTEN
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &t); err != nil {
		return nil, fmt.Errorf("set up the console: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) }, nil
}
