package steps

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"slipway/agent/internal/disk"
	"slipway/tasksequence"
)

// errNoDisks is a programming error: this environment has no disks to work on.
var errNoDisks = errors.New("this agent cannot work on disks here")

func formatDisk(ctx context.Context, s *Step) (Outcome, error) {
	chosen, err := chooseDisk(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	l, err := planDisk(s, chosen)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", chosen, err)
	}
	s.Log("info", "The disk is "+chosen.String()+", id "+chosen.ID)
	for _, p := range l.Partitions {
		s.Log("info", fmt.Sprintf("Partition %d: %s, %d MiB %s", p.Number, p.Role, p.Size>>20, p.FS))
	}
	done := false
	if s.Interrupted {
		if done, err = s.Machine.Disks.Holds(ctx, l); err != nil {
			return Outcome{}, err
		}
	}
	if done {
		s.Log("info", "The disk was formatted before the interruption, and holds what was planned.")
	} else if err := s.needTools(ctx, disk.ToolsFor(l)...); err != nil {
		return Outcome{}, err
	} else if l, err = s.Machine.Disks.Prepare(ctx, l, s.Progress); err != nil {
		return Outcome{}, err
	}
	return Outcome{}, setTarget(ctx, s, l)
}

// chooseDisk names the disk that a step's settings mean.
func chooseDisk(ctx context.Context, s *Step) (disk.Disk, error) {
	if s.Machine.Disks == nil {
		return disk.Disk{}, errNoDisks
	}
	rule := disk.Rule{By: s.Settings.Text("DiskRule"), Index: s.Settings.Int("DiskIndex"), Serial: s.Settings.Text("DiskSerial")}
	if kind := s.Settings.Text("DiskType"); kind != "any" {
		rule.Type = disk.Bus(kind)
	}
	for _, item := range s.Settings.Value("ProtectedDisks").Items() {
		rule.Protected = append(rule.Protected, strings.Split(item, "\n")...)
	}
	patience := s.Machine.DiskPatience
	giveUp := time.Now().Add(patience)
	list, err := quietDisks(ctx, s, giveUp)
	for {
		if err != nil {
			return disk.Disk{}, err
		}
		chosen, missing := disk.Choose(list, rule)
		if !errors.Is(missing, disk.ErrNotFound) || time.Now().After(giveUp) {
			return chosen, missing
		}
		s.Progress(-1, "Waiting for the disk")
		if err = pause(ctx, patience/10); err == nil {
			list, err = s.Machine.Disks.List(ctx)
		}
	}
}

// quietDisks lists the disks when no more of them show themselves.
func quietDisks(ctx context.Context, s *Step, giveUp time.Time) ([]disk.Disk, error) {
	list, err := s.Machine.Disks.List(ctx)
	for s.Machine.DiskPatience > 0 && err == nil && time.Now().Before(giveUp) {
		before := list
		if err = pause(ctx, s.Machine.DiskPatience/10); err != nil {
			break
		}
		list, err = s.Machine.Disks.List(ctx)
		if slices.EqualFunc(before, list, func(a, b disk.Disk) bool { return a.ID == b.ID }) {
			break
		}
	}
	return list, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// planDisk turns the settings into a layout for the disk, with its ids.
func planDisk(s *Step, d disk.Disk) (disk.Layout, error) {
	spec := disk.Spec{Layout: s.Settings.Text("Layout"), Firmware: disk.BIOS, SwapMiB: int64(s.Settings.Int("SwapSize")), BothWays: s.Settings.Bool("BootsBothWays")}
	if strings.EqualFold(s.Vars.Text("IsUEFI"), "true") {
		spec.Firmware = disk.UEFI
	}
	if table := s.Settings.Text("PartitionTable"); table != "auto" {
		spec.Table = disk.TableKind(table)
	}
	if spec.Layout == tasksequence.LayoutCustom {
		var err error
		if spec.Wants, err = disk.ParseWants(s.Settings.Text("Partitions")); err != nil {
			return disk.Layout{}, fmt.Errorf("the option Partitions: %w", err)
		}
	}
	g := d.Geometry()
	if s.Vars.Text("Architecture") == "arm64" {
		g.Architecture = "arm64"
	}
	l, err := disk.Plan(spec, g)
	if err != nil {
		return disk.Layout{}, err
	}
	l.DiskSize = d.Size
	l.Identify(d.ID, s.Key)
	return l, nil
}

// setTarget mounts a layout as the target and tells the later steps.
func setTarget(ctx context.Context, s *Step, l disk.Layout) error {
	set := map[string]string{tasksequence.VariableTargetLayout: l.Text(), disk.TargetVariable: l.Disk}
	_, linux := l.Find(disk.RoleRoot)
	_, windows := l.Find(disk.RoleWindows)
	_, esp := l.Find(disk.RoleESP)
	if linux || windows && (esp || runtime.GOOS == "windows") {
		root, err := s.Machine.Disks.Mount(ctx, l)
		if err != nil {
			return fmt.Errorf("mount the target: %w", err)
		}
		if linux || runtime.GOOS == "windows" {
			set["OSDTargetSystemDrive"] = root
		}
	}
	for name, text := range set {
		if err := s.Vars.SetSystem(name, tasksequence.Value{Text: text}); err != nil {
			return err
		}
	}
	return nil
}
