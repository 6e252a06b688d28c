package bootstage

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
)

const manageBDE = "manage-bde.exe"

// protected reports whether BitLocker protects the drive. A Windows without the tool has no
// BitLocker: it is a feature that servers may lack.
func (s *Stage) protected(ctx context.Context) (bool, error) {
	code, output, err := s.Run(ctx, manageBDE, "-status", s.Drive, "-protectionaserrorlevel")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask whether BitLocker protects drive %s: %w", s.Drive, err)
	case code == 0:
		return true, nil
	case code == 1:
		return false, nil
	}
	return false, fmt.Errorf("whether BitLocker protects drive %s cannot be told: %s ended with exit code %d (%#x): %s", s.Drive, manageBDE, code, uint32(code), oneLine(output))
}

// suspend suspends BitLocker for the start into Windows PE, and sees that it is.
func (s *Stage) suspend(ctx context.Context) error {
	_, err := s.tool(ctx, manageBDE, "-protectors", "-disable", s.Drive, "-RebootCount", strconv.Itoa(Reboots))
	if err == nil {
		var still bool
		if still, err = s.protected(ctx); still {
			err = errors.New("it is protected still, a policy may forbid that")
		}
	}
	if err != nil {
		return fmt.Errorf("BitLocker of drive %s cannot be suspended, and Windows PE could not be started from it: %w", s.Drive, err)
	}
	return nil
}

// resume has BitLocker protect the drive again.
func (s *Stage) resume(ctx context.Context) error {
	if _, err := s.tool(ctx, manageBDE, "-protectors", "-enable", s.Drive); err != nil {
		return fmt.Errorf("BitLocker of drive %s is suspended still (%s -protectors -enable %s resumes it): %w", s.Drive, manageBDE, s.Drive, err)
	}
	return nil
}
