package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
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

// maxEnvironment bounds one value: the kernel refuses longer ones (MAX_ARG_STRLEN).
const maxEnvironment = 100 << 10

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

// LinuxFiles is the file system as it is everywhere.
type LinuxFiles = LocalFiles

// decodeLine makes text of a line of output.
func decodeLine(b []byte) string { return string(bytes.ToValidUTF8(b, []byte("?"))) }

// shellCommand runs a text as the system's command interpreter reads it. remove
// removes what had to be written for that.
func shellCommand(_ *Step, text string) (c Command, remove func(), err error) {
	return Command{Args: []string{"/bin/sh", "-c", text}}, func() {}, nil
}

// interpreter runs the scripts of own definitions that name none.
func interpreter(file string) []string { return []string{"/bin/sh", file} }

// scriptExtension is how a script's file name has to end for its interpreter.
func scriptExtension(string) string { return "" }
