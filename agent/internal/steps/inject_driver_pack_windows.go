package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"slipway/tasksequence"
)

// injectDriverPack adds one driver pack to the Windows that runs, or in WinPE to the one
// on the target disk.
func injectDriverPack(ctx context.Context, s *Step) (Outcome, error) {
	ref, ok := s.Settings.Content("DriverPack")
	if !ok {
		return Outcome{}, errors.New("no driver pack is named")
	}
	y, err := openEither(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	restart, err := y.inject(ctx, ref, ref.String())
	return driversAdded(restart), err
}

// driversAdded is the outcome of a step that added drivers.
func driversAdded(restart bool) Outcome {
	if restart {
		return Outcome{Restart: &Restart{Target: tasksequence.RebootDisk, Message: "The new drivers ask for a restart."}}
	}
	return Outcome{}
}

// inject fetches a pack onto the system's drive and adds its drivers: in the running
// Windows by pnputil, on the target disk by DISM. It answers whether a restart is needed.
func (y *target) inject(ctx context.Context, ref tasksequence.Reference, name string) (restart bool, err error) {
	folder, remove, err := y.fetchFolder(ctx, ref, name)
	if err != nil {
		return false, err
	}
	defer remove()
	drivers := 0
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.EqualFold(filepath.Ext(name), ".inf") {
			drivers++
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("driver pack %s: %w", name, err)
	}
	if drivers == 0 {
		return false, fmt.Errorf("driver pack %s holds no driver for Windows (.inf): archives have to be unpacked before they are added", name)
	}
	y.step.Log("info", fmt.Sprintf("%s: %d .inf files", name, drivers))
	if inInstalledWindows(y.step) {
		restart, err = y.addRunning(ctx, folder)
	} else {
		err = y.tool(ctx, "adding "+name, "dism.exe", "/English", "/Image:"+y.root, "/Add-Driver", "/Driver:"+folder, "/Recurse")
	}
	if err != nil {
		return false, fmt.Errorf("driver pack %s: %w", name, err)
	}
	return restart, nil
}

// The exit codes of pnputil beside 0 ("PnPUtil return values").
const (
	noDeviceTakesIt = 259 // added; no device is there for it, or all have a better one
	pnpRestart      = 3010
	pnpRestarts     = 1641
)

// addRunning adds drivers to the running Windows.
func (y *target) addRunning(ctx context.Context, folder string) (restart bool, err error) {
	last := ""
	code, err := y.step.Machine.Exec.Run(ctx, Command{Args: []string{"pnputil.exe", "/add-driver", filepath.Join(folder, "*.inf"), "/subdirs", "/install"},
		Stdout: func(line string) { last = cmp.Or(strings.TrimSpace(line), last); y.step.Log("info", line) },
		Stderr: func(line string) { y.step.Log("warn", line) }})
	switch {
	case err != nil:
		return false, fmt.Errorf("pnputil: %w", err)
	case code == 0, code == noDeviceTakesIt:
		return false, nil
	case code == pnpRestart, code == pnpRestarts:
		return true, nil
	}
	return false, fmt.Errorf("pnputil ended with exit code %d: %s", code, last)
}
