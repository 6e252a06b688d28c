package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slipway/agent/internal/bootable"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// errWindowsTarget refuses steps that know only Linux.
var errWindowsTarget = errors.New("the target disk is laid out for Windows, and from the Linux boot image this step works on Linux systems only: run it in the installed Windows, or leave it out")

// errOnlyWindows refuses targets that are not for Windows.
var errOnlyWindows = errors.New("the target disk is not laid out for Windows: Format disk with the layout windows has to come before this step")

// errNoWindows: nothing was applied yet.
var errNoWindows = errors.New("there is no Windows on the target disk yet: an Apply operating system step has to come before this step")

// forWindows reports whether a layout is one for Windows.
func forWindows(l disk.Layout) bool {
	_, windows := l.Find(disk.RoleWindows)
	_, linux := l.Find(disk.RoleRoot)
	return windows && !linux
}

// onWindows reports whether the step changes a Windows that does not run: the one on the
// target disk.
func onWindows(s *Step) bool {
	l, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	return err == nil && forWindows(l) && s.Vars.Text(tasksequence.VariableEnvironment) != tasksequence.FullOS
}

// windowsVolume is the volume of the Windows on the target disk. It is mounted while a
// step works on it, and not longer: what a step did is on the disk when it ends.
type windowsVolume struct {
	step   *Step
	layout disk.Layout
	root   string
	undo   func() error
}

// inWindows mounts the volume for f.
func inWindows(ctx context.Context, s *Step, f func(v *windowsVolume) error) (err error) {
	layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		return err
	}
	v, err := openVolume(ctx, s, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.undo()) }()
	if !windowstarget.IsWindows(v.root) {
		return errNoWindows
	}
	return f(v)
}

// needWindows says what is missing for a step that only a Windows on the target disk
// has a use for.
func needWindows(ctx context.Context, s *Step) error {
	if !onWindows(s) {
		return errOnlyWindows
	}
	return inWindows(ctx, s, func(*windowsVolume) error { return nil })
}

// openVolume mounts the volume, whatever is on it.
func openVolume(ctx context.Context, s *Step, layout disk.Layout) (*windowsVolume, error) {
	part, ok := layout.Find(disk.RoleWindows)
	if !ok {
		return nil, errors.New("the target disk has no partition for Windows: Format disk with the layout windows makes one")
	}
	if s.Machine.Disks == nil {
		return nil, errNoDisks
	}
	if err := s.needTools(ctx, disk.NTFSMount); err != nil {
		return nil, err
	}
	root, undo, err := s.Machine.Disks.MountPartition(ctx, layout, part.Number)
	if err != nil {
		return nil, err
	}
	return &windowsVolume{step: s, layout: layout, root: root, undo: undo}, nil
}

// answers merges settings into the answer file of the Windows there. given, if it is not
// empty, takes the place of the one that is there.
func (v *windowsVolume) answers(settings unattend.Settings, given string) error {
	var file []byte
	if given != "" {
		file = []byte(given)
	}
	changes, err := windowstarget.Answers(v.root, settings, file)
	if err != nil {
		return err
	}
	for _, c := range changes {
		v.step.Log("info", "answer file: "+c.String())
	}
	return nil
}

// boot makes the Windows there boot from its disk.
func (v *windowsVolume) boot(ctx context.Context, i windowsImage) (err error) {
	disks := v.step.Machine.Disks
	esp, err := disks.Mount(ctx, v.layout)
	if err != nil {
		return fmt.Errorf("mount the EFI system partition: %w", err)
	}
	recovery, undo := "", func() error { return nil }
	if part, ok := v.layout.Find(disk.RoleRecovery); ok {
		if recovery, undo, err = disks.MountPartition(ctx, v.layout, part.Number); err != nil {
			return fmt.Errorf("mount the recovery partition: %w", err)
		}
	}
	return errors.Join(v.bootFrom(ctx, i, esp, recovery), undo())
}

// bootFrom works on mounted partitions; recovery is empty when there is none.
func (v *windowsVolume) bootFrom(ctx context.Context, i windowsImage, esp, recovery string) error {
	t := bootable.WindowsTarget{Layout: v.layout, Disks: v.step.Machine.Disks, Architecture: i.Architecture, Product: i.Product(), Locale: i.locale(),
		Log: v.step.Log, EFIVariables: v.step.Machine.efiVariables()}
	for _, one := range []struct {
		at string
		to **os.Root
	}{{v.root, &t.Windows}, {esp, &t.ESP}, {recovery, &t.Recovery}} {
		if one.at == "" {
			continue
		}
		root, err := os.OpenRoot(one.at)
		if err != nil {
			return fmt.Errorf("open a file system of the target: %w", err)
		}
		defer root.Close()
		*one.to = root
	}
	return bootable.MakeWindows(ctx, t)
}

// path is a file or folder of the volume.
func (v *windowsVolume) path(name string) string {
	return filepath.Join(v.root, filepath.FromSlash(name))
}
