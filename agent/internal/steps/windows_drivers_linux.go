package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slipway/agent/internal/windowstarget"
	"slipway/agent/wire"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// stagedDrivers is where drivers lie on the Windows volume until Windows itself takes
// them in: Linux cannot.
const stagedDrivers = windowstarget.Folder + "/drivers"

// driverCommand takes all of them in, in the specialize pass, before the network is
// needed, and removes them. It never fails: Windows Setup gives up a computer one of
// whose commands fails. What pnputil says stands in the log.
const driverCommand = `cmd.exe /d /c "pnputil.exe /add-driver %SystemDrive%\ProgramData\Slipway\drivers\*.inf /subdirs /install` +
	` >%SystemRoot%\Temp\slipway-drivers.log 2>&1 & rd /s /q %SystemDrive%\ProgramData\Slipway\drivers & exit 0"`

// driverDescription marks it in the answer file.
const driverDescription = "Slipway adds drivers"

// stagePacks lays driver packs down for a Windows on the target disk.
func stagePacks(ctx context.Context, s *Step, packs []wire.ContentVersion) error {
	return inWindows(ctx, s, func(v *windowsVolume) error {
		for _, pack := range packs {
			if err := v.stage(ctx, tasksequence.Reference{ID: pack.Item, Version: pack.Version}, pack.Name); err != nil {
				return err
			}
		}
		return v.answers(unattend.Settings{Architecture: unattend.FromVariables(s.Vars.Run()).Architecture,
			Commands: []unattend.Command{{Pass: unattend.Specialize, Line: driverCommand, Description: driverDescription}}}, "")
	})
}

// stage fetches a pack onto the volume.
func (v *windowsVolume) stage(ctx context.Context, ref tasksequence.Reference, name string) (err error) {
	root, err := os.OpenRoot(v.root)
	if err != nil {
		return fmt.Errorf("open the Windows volume: %w", err)
	}
	defer root.Close()
	dir := path.Join(windowstarget.Spelled(root, stagedDrivers), ref.ID)
	if err := errors.Join(root.RemoveAll(dir), root.MkdirAll(dir, 0o700)); err != nil { // of an interrupted try
		return fmt.Errorf("make a folder for %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.RemoveAll(dir))
		}
	}()
	folder, ours := v.path(dir), v.path(windowstarget.Spelled(root, windowstarget.Folder))
	v.step.Log("info", "fetching "+name)
	err = v.step.Machine.Content.Folder(ctx, ref, folder, func(done, total int64) {
		percent := -1
		if total > 0 {
			percent = int(done * 100 / total)
		}
		v.step.Progress(percent, "Fetching "+name)
	})
	if err != nil {
		return fmt.Errorf("fetch %s: %w", name, err)
	}
	drivers := 0
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.EqualFold(filepath.Ext(name), ".inf") {
			drivers++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	if drivers == 0 {
		return fmt.Errorf("driver pack %s holds no driver for Windows (.inf): archives have to be unpacked before they are added", name)
	}
	// Programs that Windows will run must not be another's.
	if err := windowstarget.Protect(ours); err != nil {
		return err
	}
	v.step.Log("info", fmt.Sprintf("%s: %d .inf files, which Windows adds at its first start", name, drivers))
	return nil
}
