package installed

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/screen"
)

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// openTerminal takes the terminal of this process for the screen and returns how
// to give it back. Ctrl-C still ends the agent.
func openTerminal(stdin *os.File) (*screen.Terminal, func(), error) {
	fd := int(stdin.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, nil, err
	}
	restore := func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before)
		fmt.Print("\x1b[0m\x1b[2J\x1b[H\x1b[?25h")
	}
	t, err := screen.OpenTTY("/dev/tty")
	if err != nil {
		restore()
		return nil, nil, err
	}
	if raw, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		raw.Lflag |= unix.ISIG
		raw.Cc[unix.VSUSP], raw.Cc[unix.VQUIT] = 0, 0
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, raw)
	}
	return t, restore, nil
}

// inMemory reports whether a file is gone after a restart of the machine.
func inMemory(name string) bool {
	var st unix.Statfs_t
	if unix.Statfs(name, &st) != nil {
		return false
	}
	return int64(st.Type) == unix.TMPFS_MAGIC || int64(st.Type) == unix.RAMFS_MAGIC
}

// display is the screen in a terminal, with the lines after it, and without one
// the lines alone. leave ends it.
func (a *agent) display(ctx context.Context) (_ *screen.Display, leave func(), err error) {
	var options screen.Options
	var terminals []*screen.Terminal
	restore := func() {}
	if a.options.unattended {
		options.Shown = a.out.shown
	} else {
		t, giveBack, err := openTerminal(a.stdin)
		if err != nil {
			return nil, nil, fmt.Errorf("the terminal: %w (--unattended needs none)", err)
		}
		terminals = append(terminals, t)
		a.out.hold()
		a.errs.hold()
		restore = func() {
			giveBack()
			a.out.release()
			a.errs.release()
		}
	}
	d := screen.NewDisplay(options, screen.NewNotice("Starting", "Looking for the network", screen.Calm),
		screen.Facts{Product: "Slipway " + a.version, Model: a.facts["Model"], Serial: a.facts["SerialNumber"]}, terminals...)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	return d, func() {
		cancel()
		<-done
		restore()
	}, nil
}
