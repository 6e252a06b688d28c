package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// initPower asks the init that is there; the kernel is asked only when no init
// takes the order.
type initPower struct{}

func (initPower) restart(ctx context.Context) error {
	return ask(ctx, unix.LINUX_REBOOT_CMD_RESTART, []string{"systemctl", "reboot"}, []string{"shutdown", "-r", "now"}, []string{"reboot"})
}

func (initPower) off(ctx context.Context) error {
	return ask(ctx, unix.LINUX_REBOOT_CMD_POWER_OFF, []string{"systemctl", "poweroff"}, []string{"shutdown", "-h", "now"}, []string{"poweroff"})
}

// reseal implements power: only Windows has a first-run experience to start into.
func (initPower) reseal(context.Context) error {
	return errors.New("only Windows can be resealed")
}

func ask(ctx context.Context, kernel int, orders ...[]string) error {
	var errs []error
	for _, order := range orders {
		if order[0] == "systemctl" && !systemdRuns() {
			continue
		}
		if err := command(ctx, order...); err != nil {
			errs = append(errs, err)
			continue
		}
		return nil
	}
	unix.Sync()
	if err := unix.Reboot(kernel); err != nil {
		return errors.Join(append(errs, fmt.Errorf("restart by the kernel: %w", err))...)
	}
	return nil
}

// systemdRuns is sd_booted(3).
func systemdRuns() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// command runs a program of the system; what it printed is in the error.
func command(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, oneLine(strings.TrimSpace(string(out))))
	}
	return nil
}
