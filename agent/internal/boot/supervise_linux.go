package boot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// WorkerArg is the argument with which PID 1 starts itself again as the worker.
const WorkerArg = "worker"

const (
	crashesBeforeRestart = 8                // crashes within crashWindow lead to a restart of the machine
	crashWindow          = 10 * time.Minute //
	maxCrashWait         = 20 * time.Second
	keptLines            = 16 // of the worker's last words, shown on the screen
	leftWait             = 10 * time.Second
)

// Supervise is PID 1. It mounts, starts the worker, reaps every orphan, starts
// a crashed worker again and restarts or powers off when the worker asks. It
// does not return: a PID 1 that ends is a kernel panic.
func Supervise() {
	for {
		superviseOnce()
		time.Sleep(2 * time.Second)
	}
}

// superviseOnce turns a panic of PID 1's own code into a line in the log.
func superviseOnce() {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(OpenKmsg(), "PID 1 recovered from: %v\n%s", p, debug.Stack())
		}
	}()
	mountErr := MountAll()
	QuietConsole()
	log := OpenKmsg()
	if mountErr != nil {
		fmt.Fprintf(log, "mounts: %v\n", mountErr)
	}
	// Ctrl-Alt-Del comes as SIGINT instead of an immediate reset.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF)
	outlive()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPWR)
	go func() {
		if s := <-signals; s == syscall.SIGPWR {
			end(log, PowerOff)
		} else {
			end(log, Restart)
		}
	}()
	(&supervisor{log: log}).run()
}

// outlive takes the signals by which a Go program ends otherwise: programs tell PID 1 by
// some of them to read its configuration again. They are not ignored, because that would
// be inherited by all commands of steps.
func outlive() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGTRAP,
		syscall.SIGSTKFLT, syscall.SIGSYS, syscall.SIGXCPU, syscall.SIGXFSZ)
}

type supervisor struct {
	log     io.Writer
	crashes []time.Time
}

func (s *supervisor) run() {
	for {
		status, words, err := runWorker(s.log)
		switch {
		case err != nil:
			words = err.Error()
		case status.Exited() && status.ExitStatus() == exitRestart:
			end(s.log, Restart)
		case status.Exited() && status.ExitStatus() == exitPowerOff:
			end(s.log, PowerOff)
		}
		wait, again := s.crashed(time.Now())
		fmt.Fprintf(s.log, "the agent ended unexpectedly (%s)\n", describe(status))
		if !again {
			sayOnConsoles(crashText(status, words, "The computer restarts in 60 seconds."))
			time.Sleep(time.Minute)
			end(s.log, Restart)
		}
		sayOnConsoles(crashText(status, words, fmt.Sprintf("It starts again in %d seconds.", int(wait.Seconds()))))
		started := time.Now()
		endLeft(leftWait)
		time.Sleep(wait - time.Since(started))
	}
}

// crashed notes a crash and says how long to wait before the next start, or
// that there have been too many.
func (s *supervisor) crashed(now time.Time) (wait time.Duration, again bool) {
	kept := s.crashes[:0]
	for _, t := range s.crashes {
		if now.Sub(t) < crashWindow {
			kept = append(kept, t)
		}
	}
	s.crashes = append(kept, now)
	if len(s.crashes) >= crashesBeforeRestart {
		return 0, false
	}
	return min(time.Second<<len(s.crashes), maxCrashWait), true
}

// runWorker starts the worker and reaps until it is the one that ended. Waiting
// for every child here, and starting by syscall.ForkExec, keeps os/exec's own
// wait out of PID 1.
func runWorker(log io.Writer) (syscall.WaitStatus, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, "", fmt.Errorf("start the agent: %w", err)
	}
	defer r.Close()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		w.Close()
		return 0, "", fmt.Errorf("start the agent: %w", err)
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"slipway-agent", WorkerArg}, &syscall.ProcAttr{
		Env:   []string{"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=linux"},
		Files: []uintptr{null.Fd(), w.Fd(), w.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	null.Close()
	w.Close()
	if err != nil {
		return 0, "", fmt.Errorf("start the agent: %w", err)
	}
	var tail lastLines
	done := make(chan struct{})
	go func() { defer close(done); tail.copy(r, log) }()
	status := reapUntil(pid)
	select { // children of the worker may hold the pipe: do not wait for them for long
	case <-done:
	case <-time.After(time.Second):
	}
	return status, tail.text(), nil
}

func reapUntil(pid int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		if got == pid || errors.Is(err, syscall.ECHILD) {
			return status
		}
	}
}

// endLeft ends what a crashed worker left behind: the commands of its step would go on
// beside those of the next one. They are asked first, and given patience: a program that
// serves a file system writes what it still holds, and unmounts it.
func endLeft(patience time.Duration) {
	if os.Getpid() != 1 { // all processes of the machine would be meant
		return
	}
	_ = syscall.Kill(-1, syscall.SIGTERM)
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		switch got, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); {
		case errors.Is(err, syscall.ECHILD): // orphans are children of PID 1
			return
		case got <= 0:
			time.Sleep(20 * time.Millisecond)
		}
	}
	_ = syscall.Kill(-1, syscall.SIGKILL)
}

// lastLines keeps the end of what the worker wrote to its standard error.
type lastLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *lastLines) copy(r io.Reader, log io.Writer) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		fmt.Fprintln(log, sc.Text())
		l.mu.Lock()
		// A panic's reason comes first and its stack after it: keep the start of it.
		if isPanic := strings.HasPrefix(sc.Text(), "panic:") || strings.HasPrefix(sc.Text(), "fatal error:"); isPanic {
			l.lines = nil
		}
		if len(l.lines) < keptLines {
			l.lines = append(l.lines, sc.Text())
		}
		l.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r)
}

func (l *lastLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// crashText is what a person sees between a crash and the next start. It fits
// the smallest screen.
func crashText(status syscall.WaitStatus, words, next string) string {
	lines := strings.Split(strings.ReplaceAll(words, "\t", "  "), "\n")
	lines = lines[:min(len(lines), 12)]
	for i, l := range lines {
		lines[i] = l[:min(len(l), 76)]
	}
	words = strings.Join(lines, "\n")
	return fmt.Sprintf("\x1b[0m\x1b[2J\x1b[H\r\n  Slipway\r\n\r\n  The agent ended unexpectedly (%s).\r\n  %s\r\n\r\n  %s\r\n",
		describe(status), next, strings.ReplaceAll(words, "\n", "\r\n  "))
}

// sayOnConsoles writes plain text to every active console.
func sayOnConsoles(text string) {
	for _, path := range Consoles() {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		_ = f.SetWriteDeadline(time.Now().Add(2 * time.Second))
		_, _ = io.WriteString(f, text)
		f.Close()
	}
}

// Consoles lists the devices of the kernel's active consoles, the main one
// last. /dev/console itself is only one of them and is never used.
func Consoles() []string {
	text, err := os.ReadFile("/sys/class/tty/console/active")
	if err != nil {
		return []string{"/dev/tty0"}
	}
	var paths []string
	for _, name := range strings.Fields(string(text)) {
		paths = append(paths, "/dev/"+name)
	}
	return paths
}

// end ends the session; should the kernel refuse, PID 1 stays.
func end(log io.Writer, w Way) {
	stopOthers()
	if err := End(w); err != nil {
		fmt.Fprintf(log, "%v\n", err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// stopOthers asks every other process to end, then ends it, so that file
// systems can be unmounted.
func stopOthers() {
	_ = syscall.Kill(-1, syscall.SIGTERM)
	time.Sleep(300 * time.Millisecond)
	_ = syscall.Kill(-1, syscall.SIGKILL)
	time.Sleep(100 * time.Millisecond)
}
