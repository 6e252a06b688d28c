package steps

import (
	"context"
	"fmt"

	"slipway/agent/internal/disk"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// applyDisk writes a disk image over the whole target disk. The image brings its own
// boot loader; its last partition grows to the disk's end, with the file system. name is that
// of the boot entry.
func applyDisk(ctx context.Context, s *Step, ref tasksequence.Reference, file wire.ContentFile, name string) error {
	id := s.Vars.Text(disk.TargetVariable)
	if id == "" {
		return disk.ErrNoTarget
	}
	if err := s.Machine.Disks.Unmount(ctx); err != nil {
		return err
	}
	l, err := writeDisk(ctx, s, ref, file, id, false, true)
	if err != nil {
		return err
	}
	if err := growFileSystem(ctx, s, l); err != nil {
		return err
	}
	announce(ctx, s, l, name)
	return setTarget(ctx, s, l)
}

// growFileSystem makes the file system of the last partition as large as that.
// resize2fs asks for a check before.
func growFileSystem(ctx context.Context, s *Step, l disk.Layout) error {
	var last disk.Partition
	for _, p := range l.Partitions {
		if p.Start >= last.Start {
			last = p
		}
	}
	if last.FS != disk.FSExt4 {
		s.Log("info", "the last partition holds no ext4 file system: it is left as large as it is")
		return nil
	}
	device, err := s.Machine.Disks.Device(ctx, l, last.Number)
	if err != nil {
		return err
	}
	log := func(level string) func(string) { return func(line string) { s.Log(level, line) } }
	for _, tool := range []struct {
		args []string
		most int // exit code that is no failure: e2fsck's 1 is "errors corrected"
	}{{[]string{"e2fsck", "-f", "-p", device}, 1}, {[]string{"resize2fs", device}, 0}} {
		code, err := s.Machine.Exec.Run(ctx, Command{Args: tool.args, Stdout: log("info"), Stderr: log("info")})
		if err == nil && code > tool.most {
			err = fmt.Errorf("it ended with exit code %d", code)
		}
		if err != nil {
			return fmt.Errorf("grow the file system: %s: %w", tool.args[0], err)
		}
	}
	return nil
}
