package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// What sysprep leaves behind.
const (
	sysprepTag    = `Windows\System32\Sysprep\Sysprep_succeeded.tag`
	sysprepErrors = `Windows\System32\Sysprep\Panther\setuperr.log`
)

// prepareForCapture generalizes the running Windows with sysprep and goes on: what comes
// next is a restart from the boot image. sysprep ends with 0 also when it failed; the
// file that it makes at its end tells.
func prepareForCapture(ctx context.Context, s *Step) (Outcome, error) {
	y := openRunning(s)
	if err := os.Remove(y.path(sysprepTag)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Outcome{}, fmt.Errorf("remove the mark of an earlier sysprep: %w", err)
	}
	s.Progress(-1, "generalizing Windows")
	if err := y.tool(ctx, "generalizing Windows", y.path(`Windows\System32\Sysprep\sysprep.exe`), "/generalize", "/oobe", "/quit", "/quiet"); err != nil {
		return Outcome{}, y.sysprepFailed(err)
	}
	if _, err := os.Stat(y.path(sysprepTag)); err != nil {
		return Outcome{}, y.sysprepFailed(errors.New("sysprep did not generalize Windows"))
	}
	return Outcome{}, nil
}

// sysprepFailed adds what sysprep wrote into its list of errors.
func (y *target) sysprepFailed(err error) error {
	text, readErr := os.ReadFile(y.path(sysprepErrors))
	lines := strings.Split(strings.TrimSpace(windowsText(text)), "\n")
	if readErr != nil || lines[0] == "" {
		return fmt.Errorf("%w (see Windows\\System32\\Sysprep\\Panther\\setupact.log)", err)
	}
	lines = lines[max(0, len(lines)-10):]
	for _, line := range lines {
		y.step.Log("error", "sysprep: "+strings.TrimSpace(line))
	}
	return fmt.Errorf("%w: %s", err, strings.TrimSpace(lines[len(lines)-1]))
}
