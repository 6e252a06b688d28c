package boot

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Exit codes by which the worker asks PID 1 to end the session.
const (
	exitRestart  = 64
	exitPowerOff = 65
)

// ExitCode is what the worker exits with to ask PID 1 for w.
func (w Way) ExitCode() int {
	if w == PowerOff {
		return exitPowerOff
	}
	return exitRestart
}

// End syncs, unmounts and restarts or powers off. It returns only when the
// kernel refuses. Only PID 1 calls it.
func End(w Way) error {
	UnmountAll()
	cmd := unix.LINUX_REBOOT_CMD_RESTART
	if w == PowerOff {
		cmd = unix.LINUX_REBOOT_CMD_POWER_OFF
	}
	if err := unix.Reboot(cmd); err != nil {
		return fmt.Errorf("restart the machine: %w", err)
	}
	return nil
}
