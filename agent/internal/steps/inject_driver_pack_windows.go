package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"slipway/tasksequence"
)

// injectDriverPack adds one driver pack to the Windows on the target disk.
func injectDriverPack(ctx context.Context, s *Step) (Outcome, error) {
	ref, ok := s.Settings.Content("DriverPack")
	if !ok {
		return Outcome{}, errors.New("no driver pack is named")
	}
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{}, y.inject(ctx, ref, ref.String())
}

// inject fetches a pack onto the target's drive and has DISM add its drivers.
func (y *target) inject(ctx context.Context, ref tasksequence.Reference, name string) error {
	folder, remove, err := y.fetchFolder(ctx, ref, name)
	if err != nil {
		return err
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
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	if drivers == 0 {
		return fmt.Errorf("driver pack %s holds no driver for Windows (.inf): archives have to be unpacked before they are added", name)
	}
	y.step.Log("info", fmt.Sprintf("%s: %d .inf files", name, drivers))
	if err := y.tool(ctx, "adding "+name, "dism.exe", "/English", "/Image:"+y.root, "/Add-Driver", "/Driver:"+folder, "/Recurse"); err != nil {
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	return nil
}
