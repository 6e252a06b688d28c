package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/toolpack"
)

// disks are the machine's disks; tools for them run like every command. medium is the
// id of the boot image when the machine was started from a medium.
func disks(log *slog.Logger, medium string) *disk.Linux {
	return &disk.Linux{Log: log, Medium: medium, Run: func(ctx context.Context, args ...string) (string, error) {
		var output strings.Builder
		add := func(line string) { output.WriteString(line + "\n") }
		code, err := steps.LinuxExec{}.Run(ctx, steps.Command{Args: args, Stdout: add, Stderr: add})
		if err == nil && code != 0 {
			err = fmt.Errorf("%s ended with exit code %d", args[0], code)
		}
		return output.String(), err
	}}
}

// toolPack is the pack that the running image pins.
func toolPack(image boot.Image) *toolpack.Pack {
	pin, err := toolpack.LoadPin(os.DirFS("/"))
	return &toolpack.Pack{Root: "/", Image: image.ID, Pin: pin, Err: err}
}
