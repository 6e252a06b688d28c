package winsys

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// Power ends the running Windows.
type Power struct{ WinPE bool }

// Restart restarts the computer: wpeutil in WinPE, shutdown.exe in an installed system.
func (p Power) Restart(ctx context.Context) error {
	if p.WinPE {
		return Run(ctx, "wpeutil.exe", "reboot")
	}
	return Run(ctx, "shutdown.exe", "/r", "/f", "/t", "0", "/d", "p:4:1")
}

// Off switches the computer off.
func (p Power) Off(ctx context.Context) error {
	if p.WinPE {
		return Run(ctx, "wpeutil.exe", "shutdown")
	}
	return Run(ctx, "shutdown.exe", "/s", "/f", "/t", "0", "/d", "p:4:1")
}

// Reseal lets Windows start into its first-run experience the next time, and switches the
// computer off (sysprep /oobe; nothing is generalized: the computer stays the one it is).
func (p Power) Reseal(ctx context.Context) error {
	if p.WinPE {
		return errors.New("an installed Windows can be resealed, not WinPE")
	}
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return fmt.Errorf("look for sysprep: %w", err)
	}
	return Run(ctx, dir+`\Sysprep\sysprep.exe`, "/oobe", "/shutdown", "/quiet")
}

// Run runs a program of the system; what it printed is in the error.
func Run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err == nil {
		return nil
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(out), "?")), " ")
	if errors.As(err, &exit) {
		return fmt.Errorf("%s ended with exit code %d: %s", strings.Join(args, " "), exit.ExitCode(), text)
	}
	return fmt.Errorf("%s: %w", args[0], err)
}
