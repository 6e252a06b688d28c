package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

// WindowsExec runs programs on this machine, in the environment of the agent. Programs
// without a folder are looked for in PATH, never in the folder of a step.
type WindowsExec struct{}

// maxEnvironment bounds one value: Windows refuses longer ones (32,767 characters).
const maxEnvironment = 32000

// killWait is how long output may still come after a program ended or was
// killed: something it left in the background may hold its output open.
const killWait = 3 * time.Second

// Run implements Exec. The program and all that it starts are in a job, which ends
// with ctx.
func (WindowsExec) Run(ctx context.Context, c Command) (int, error) {
	if c.Root != "" {
		return -1, errors.New("a program cannot be run in another system on Windows")
	}
	job, err := newJob()
	if err != nil {
		return -1, err
	}
	defer job.close()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	// Suspended: nothing that it starts can be outside of the job.
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: c.Line, CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NO_WINDOW}
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	} else if c.Input != nil {
		cmd.Stdin = c.Input
	}
	cmd.Cancel = job.kill
	cmd.WaitDelay = killWait
	var one sync.Mutex // the callers see one line at a time
	out, errs := &lineWriter{emit: c.Stdout, lock: &one}, &lineWriter{emit: c.Stderr, lock: &one}
	cmd.Stdout, cmd.Stderr = out, errs
	if c.Output != nil {
		cmd.Stdout = c.Output
	}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("the command could not be started: %w", err)
	}
	if err := job.begin(cmd.Process.Pid); err != nil {
		err = errors.Join(err, cmd.Process.Kill())
		_ = cmd.Wait()
		return -1, fmt.Errorf("the command could not be started: %w", err)
	}
	err = cmd.Wait()
	out.flush()
	errs.flush()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return -1, context.Cause(ctx)
	case err == nil, errors.Is(err, exec.ErrWaitDelay), errors.As(err, &exit):
		return cmd.ProcessState.ExitCode(), nil
	}
	return -1, fmt.Errorf("the command could not be carried out: %w", err)
}

// job is a Windows job object: a set of processes that can be ended at once.
type job windows.Handle

func newJob() (job, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("make a job for the command: %w", err)
	}
	return job(h), nil
}

func (j job) close() { _ = windows.CloseHandle(windows.Handle(j)) }

func (j job) kill() error { return windows.TerminateJobObject(windows.Handle(j), 1) }

// begin takes a suspended process into the job and lets it run.
func (j job) begin(pid int) error {
	p, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return fmt.Errorf("open the process: %w", err)
	}
	defer windows.CloseHandle(p)
	if err := windows.AssignProcessToJobObject(windows.Handle(j), p); err != nil {
		return fmt.Errorf("put the process into its job: %w", err)
	}
	return resume(uint32(pid))
}

// resume lets the threads of a process run: one, as it was created suspended.
func resume(pid uint32) error {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	defer windows.CloseHandle(list)
	resumed := 0
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(list, &entry); err == nil; err = windows.Thread32Next(list, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		t, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open the thread: %w", err)
		}
		_, err = windows.ResumeThread(t)
		_ = windows.CloseHandle(t)
		if err != nil {
			return fmt.Errorf("let the process run: %w", err)
		}
		resumed++
	}
	if resumed == 0 {
		return errors.New("the process has no thread to let run")
	}
	return nil
}

// decodeLine makes text of a line of output. Windows' own tools write in the console's
// code page, newer programs in UTF-8.
func decodeLine(b []byte) string {
	if utf8.Valid(b) || len(b) == 0 {
		return string(b)
	}
	const oem = 1 // CP_OEMCP
	wide := make([]uint16, len(b))
	n, err := windows.MultiByteToWideChar(oem, 0, &b[0], int32(len(b)), &wide[0], int32(len(wide)))
	if err != nil {
		return strings.ToValidUTF8(string(b), "?")
	}
	return windows.UTF16ToString(wide[:n])
}

// shellCommand runs a text with cmd.exe: one line as if it were typed, several as a
// batch file, in which the sign for loop variables is written twice.
func shellCommand(s *Step, text string) (c Command, remove func(), err error) {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if !strings.Contains(text, "\n") {
		return Command{Args: []string{"cmd.exe"}, Line: `cmd.exe /d /s /c "` + text + `"`}, func() {}, nil
	}
	file, err := s.Machine.Files.Temporary("command-*.cmd")
	if err != nil {
		return c, nil, fmt.Errorf("make the file for the command: %w", err)
	}
	remove = func() { _ = s.Machine.Files.Remove(file) }
	if err := s.Machine.Files.Write(file, batch(text)); err != nil {
		remove()
		return c, nil, fmt.Errorf("write the command: %w", err)
	}
	return Command{Args: []string{"cmd.exe", "/d", "/c", file}}, remove, nil
}

// batch is a batch file of a text. cmd.exe reads it in UTF-8 after its first line.
func batch(text string) []byte {
	return []byte("@echo off\r\n@chcp 65001 >nul 2>&1\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
}

// interpreter runs the scripts of own definitions that name none.
func interpreter(file string) []string { return []string{"cmd.exe", "/d", "/c", file} }

// scriptExtension is how a script's file name has to end for its interpreter.
func scriptExtension(interpreter string) string {
	words := strings.Fields(interpreter)
	if len(words) == 0 {
		return ".cmd"
	}
	switch strings.TrimSuffix(strings.ToLower(filepath.Base(words[0])), ".exe") {
	case "powershell", "pwsh":
		return ".ps1"
	case "cmd":
		return ".cmd"
	case "cscript", "wscript":
		return ".vbs"
	}
	return ""
}
