package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/agent/internal/disk"
)

// recovery puts the recovery environment of the applied Windows onto the partition that
// Format disk made for it, and tells Windows where it lies ("Deploy Windows RE"). A
// Windows without it starts all the same, so that nothing here fails the step.
func (y *target) recovery(ctx context.Context) {
	part, ok := y.layout.Find(disk.RoleRecovery)
	if !ok {
		return
	}
	if err := y.setRecovery(ctx, part); err != nil {
		y.step.Log("warn", "the recovery partition stays empty: "+err.Error())
	}
}

func (y *target) setRecovery(ctx context.Context, part disk.Partition) error {
	image := y.path(`Windows\System32\Recovery\Winre.wim`)
	if _, err := os.Stat(image); errors.Is(err, os.ErrNotExist) {
		return errors.New("the applied image holds no Windows\\System32\\Recovery\\Winre.wim")
	}
	root, err := y.step.Machine.Disks.Device(ctx, y.layout, part.Number)
	if err != nil {
		return err
	}
	folder := filepath.Join(root, "Recovery", "WindowsRE")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make a folder on it: %w", err)
	}
	if err := copyWindowsFile(image, filepath.Join(folder, "Winre.wim")); err != nil {
		return err
	}
	return y.tool(ctx, "setting the recovery environment up", y.path(`Windows\System32\reagentc.exe`), "/setreimage", "/path", folder, "/target", y.path("Windows"))
}

// copyWindowsFile copies a file; an incomplete copy is removed.
func copyWindowsFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w", filepath.Base(from), err), os.Remove(to))
	}
	return nil
}
