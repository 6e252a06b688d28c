package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/facts"
	"slipway/agent/internal/installed"
	"slipway/agent/internal/session"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/winsys"
)

// machineParts are what of the machine a test replaces.
type machineParts struct {
	network  session.Network
	setClock func(time.Time) error
	disks    *disk.Windows
	elevated func() bool // whether this process may change the system
}

// machine is this machine, unless the program was built for the tests under Wine.
// Scripts of tools lie in dir while they are read.
func machine(dir string, log *slog.Logger) machineParts {
	m := machineParts{network: winsys.Network{}, setClock: winsys.SetClock, elevated: installed.Elevated,
		disks: &disk.Windows{Drives: disk.PhysicalDrives{}, Run: runTool, Script: disk.ScriptFile(dir), System: facts.SystemDrive()[:1]}}
	replaceMachine(&m, log)
	return m
}

// runTool runs one of Windows' tools like every command of a step.
func runTool(ctx context.Context, args ...string) (string, error) {
	var output strings.Builder
	add := func(line string) { output.WriteString(line + "\n") }
	code, err := steps.WindowsExec{}.Run(ctx, steps.Command{Args: args, Stdout: add, Stderr: add})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s ended with exit code %d", args[0], code)
	}
	return output.String(), err
}

// diskFacts lists the disks as a fact.
func diskFacts(ctx context.Context, disks *disk.Windows, f facts.Facts, log *slog.Logger) {
	list, err := disks.List(ctx)
	if err != nil {
		log.Warn("the disks are not known", "error", err)
		return
	}
	var lines []string
	for _, d := range list {
		lines = append(lines, facts.DiskText(d.Name, d.Size, d.Model))
	}
	f["Disks"] = strings.Join(lines, "\n")
}

// temporary is the folder for files of tools and steps in a state folder.
func temporary(state string) string { return filepath.Join(state, "tmp") }
