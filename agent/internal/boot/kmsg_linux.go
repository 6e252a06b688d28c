package boot

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxKmsgLine keeps a line below the kernel's record limit (LOG_LINE_MAX less
// its prefix).
const maxKmsgLine = 900

// Kmsg writes lines to the kernel's log, where they survive a crash of the
// worker and reach a serial console that is set to show them.
type Kmsg struct {
	mu   sync.Mutex
	file *os.File // nil when the log cannot be opened; lines are then dropped
}

// OpenKmsg opens the kernel log for writing and lifts the limit on what user
// programs may write to it.
func OpenKmsg() *Kmsg {
	_ = os.WriteFile("/proc/sys/kernel/printk_devkmsg", []byte("on"), 0)
	file, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return &Kmsg{}
	}
	return &Kmsg{file: file}
}

// Write logs each line of p at level info. It never fails: the log must not be
// what stops the agent.
func (k *Kmsg) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for line := range bytes.Lines(p) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && k.file != nil {
			line = line[:min(len(line), maxKmsgLine)]
			_, _ = k.file.Write(append([]byte("<6>slipway: "), line...))
		}
	}
	return len(p), nil
}

// QuietConsole keeps kernel messages below emergencies off the consoles, where
// they would write over the screen. They stay in the kernel's log.
func QuietConsole() {
	const actionConsoleLevel = 8 // SYSLOG_ACTION_CONSOLE_LEVEL, syslog(2)
	_, _, _ = unix.Syscall(unix.SYS_SYSLOG, actionConsoleLevel, 0, 1)
}

// ReadKmsg returns the records now in the kernel's log, oldest first, without
// their prefixes. It does not wait for new ones.
func ReadKmsg() []string {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var lines []string
	buf := make([]byte, 8192) // one record at most, CONSOLE_EXT_LOG_MAX
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EPIPE || err == unix.EINTR { // overwritten while reading: go on with the next one
			continue
		}
		if err != nil || n <= 0 {
			return lines
		}
		if _, text, ok := bytes.Cut(buf[:n], []byte{';'}); ok {
			first, _, _ := bytes.Cut(text, []byte{'\n'})
			lines = append(lines, string(first))
		}
	}
}
