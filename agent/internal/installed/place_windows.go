package installed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"slipway/agent/internal/facts"
	"slipway/agent/internal/windowstarget"
)

// here is a path of windowstarget in the running Windows.
func here(name string) string { return facts.SystemDrive() + filepath.FromSlash(name) }

func defaultConfig() string { return here(windowstarget.OwnConfig) }

func defaultState() string { return here(windowstarget.State) }

// settle copies the agent and its configuration to where only administrators may change
// them: a service that others could replace would be theirs. It answers their paths.
func (a *agent) settle() (exe, config string, err error) {
	if err := makePrivate(here(windowstarget.Folder)); err != nil {
		return "", "", fmt.Errorf("the agent's folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return "", "", fmt.Errorf("the agent's own path: %w", err)
	}
	exe, config = here(windowstarget.Agent), here(windowstarget.Config)
	if strings.EqualFold(self, exe) && strings.EqualFold(a.config.Path, config) {
		return exe, config, nil // it runs from there
	}
	text, err := a.config.encode()
	if err != nil {
		return "", "", err
	}
	if err := makePrivate(filepath.Dir(exe)); err != nil {
		return "", "", fmt.Errorf("the agent's folder: %w", err)
	}
	if !strings.EqualFold(self, exe) {
		program, err := os.ReadFile(self)
		if err != nil {
			return "", "", fmt.Errorf("read the agent itself: %w", err)
		}
		if err := replace(exe, string(program), 0o700); err != nil {
			return "", "", fmt.Errorf("copy the agent: %w", err)
		}
	}
	if err := replace(config, string(text), 0o600); err != nil {
		return "", "", fmt.Errorf("copy the configuration: %w", err)
	}
	return exe, config, windowstarget.Protect(filepath.Dir(exe))
}

// unsettle removes what settle or a boot image put there. The program that runs cannot
// be removed by itself: Windows removes it at the next start at the latest, and a
// command that outlives the agent does so at once.
func unsettle() error {
	dir := here(windowstarget.Deployment)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	exe := here(windowstarget.Agent)
	self, err := os.Executable()
	if err != nil || !strings.EqualFold(self, exe) {
		return errors.Join(os.RemoveAll(dir), removeEmpty(filepath.Dir(dir)))
	}
	errs := []error{os.Remove(here(windowstarget.Config))}
	for _, name := range []string{exe, dir, filepath.Dir(dir)} {
		errs = append(errs, removeAtStart(name))
	}
	errs = append(errs, removeLater(exe))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the agent: %w", err)
	}
	return nil
}

// removeEmpty removes a folder when nothing is in it.
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return nil
	}
	return os.Remove(dir)
}

// removeAtStart has Windows remove a file, or an empty folder, at its next start.
func removeAtStart(name string) error {
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(wide, nil, windows.MOVEFILE_DELAY_UNTIL_REBOOT)
}

// removeLater starts a command that waits for the end of this process and then removes
// the agent and its folders, those that are empty. Its standard input is a pipe whose
// other end is this process's: it ends with the process, however that ends.
func removeLater(exe string) error {
	dir := filepath.Dir(exe)
	again := ` & del /f /q "` + exe + `" & ping.exe -n 3 127.0.0.1 >nul` // the program may be in use for a moment longer
	line := `cmd.exe /d /c "set /p x=` + strings.Repeat(again, 5) + ` & rd "` + dir + `" & rd "` + filepath.Dir(dir) + `""`
	var ends [2]syscall.Handle
	if err := syscall.Pipe(ends[:]); err != nil {
		return err
	}
	input := os.NewFile(uintptr(ends[0]), "pipe")
	defer input.Close()
	flags := uint32(windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP)
	start := func(flags uint32) (*exec.Cmd, error) {
		c := exec.CommandContext(context.Background(), "cmd.exe")
		c.Dir, c.Stdin = facts.SystemDrive(), input
		c.SysProcAttr = &syscall.SysProcAttr{CmdLine: line, CreationFlags: flags}
		return c, c.Start()
	}
	c, err := start(flags | windows.CREATE_BREAKAWAY_FROM_JOB)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) { // a job that lets nobody go
		c, err = start(flags)
	}
	if err != nil {
		return errors.Join(err, syscall.CloseHandle(ends[1]))
	}
	return c.Process.Release()
}
