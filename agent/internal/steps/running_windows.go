package steps

import (
	"cmp"
	"context"
	"os"
)

// openRunning is the Windows that the agent runs in.
func openRunning(s *Step) *target {
	return &target{step: s, root: cmp.Or(s.Machine.Root, cmp.Or(os.Getenv("SystemDrive"), "C:")+`\`)}
}

// openEither is the Windows that a step changes: the one that runs, or in WinPE the one
// on the target disk.
func openEither(ctx context.Context, s *Step) (*target, error) {
	if inInstalledWindows(s) {
		return openRunning(s), nil
	}
	return openWindows(ctx, s)
}
