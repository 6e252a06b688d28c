package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// LinuxExec runs programs on this machine. Env is what they find beside what the
// command itself is given; nil: what a boot image has.
type LinuxExec struct{ Env []string }

func (e LinuxExec) base() []string {
	if e.Env != nil {
		return e.Env
	}
	return []string{"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=dumb", "LANG=C.UTF-8"}
}

// killWait is how long output may still come after a program ended or was
// killed: something it left in the background may hold its output open.
const killWait = 3 * time.Second

// Run implements Exec.
func (e LinuxExec) Run(ctx context.Context, c Command) (int, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(slices.Clone(e.base()), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Chroot: c.Root}
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	} else if c.Input != nil {
		cmd.Stdin = c.Input
	}
	if c.Root != "" {
		// The name is looked up where the program will be, not here.
		cmd.Path, cmd.Err = c.Args[0], nil
		if cmd.Dir == "" {
			cmd.Dir = "/"
		}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killWait
	var one sync.Mutex // the callers see one line at a time
	out, errs := &lineWriter{emit: c.Stdout, lock: &one}, &lineWriter{emit: c.Stderr, lock: &one}
	cmd.Stdout, cmd.Stderr = out, errs
	if c.Output != nil {
		cmd.Stdout = c.Output
	}
	err := cmd.Run()
	out.flush()
	errs.flush()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return -1, context.Cause(ctx)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return cmd.ProcessState.ExitCode(), nil
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return -1, fmt.Errorf("the command was ended by a signal: %s", exit.ProcessState)
	}
	return -1, fmt.Errorf("the command could not be started: %w", err)
}

// maxLine bounds a line of output; longer ones are broken.
const maxLine = 4000

// lineWriter cuts a stream into lines. A carriage return ends a line too, as in
// progress bars. Control characters become blanks.
type lineWriter struct {
	emit func(string)
	lock *sync.Mutex
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n' || b == '\r' || len(w.rest) >= maxLine:
			w.flush()
			if b != '\n' && b != '\r' {
				w.rest = append(w.rest, b)
			}
		case b < ' ' && b != '\t' || b == 0x7f:
			w.rest = append(w.rest, ' ')
		default:
			w.rest = append(w.rest, b)
		}
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 && w.emit != nil {
		w.lock.Lock()
		w.emit(string(bytes.ToValidUTF8(w.rest, []byte("?"))))
		w.lock.Unlock()
	}
	w.rest = w.rest[:0]
}

// LinuxFiles is the file system; Dir is where temporary files go (in memory).
type LinuxFiles struct{ Dir string }

// Temporary implements Files.
func (f LinuxFiles) Temporary(pattern string) (string, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(f.Dir, pattern)
	if err != nil {
		return "", err
	}
	return filepath.Clean(file.Name()), file.Close()
}

// Write implements Files.
func (LinuxFiles) Write(path string, text []byte) error { return os.WriteFile(path, text, 0o600) }

// Read implements Files.
func (LinuxFiles) Read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("the file is longer than %d bytes", limit)
	}
	return text, err
}

// Remove implements Files.
func (LinuxFiles) Remove(path string) error { return os.Remove(path) }
