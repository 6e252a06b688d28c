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
