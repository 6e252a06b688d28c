package installed

import (
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
