package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/installed"
	"slipway/agent/internal/targetstate"
)

// target implements session.Target: the system on the disk that a boot image installs.
type target struct {
	image boot.Image
	load  func(module string) // loads a kernel module, when there is one
	log   *slog.Logger
}

// Root implements session.Target.
func (t target) Root() string {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == disk.TargetRoot {
			return disk.TargetRoot
		}
	}
	return ""
}

// Save implements session.Target.
func (t target) Save(state, root, deployment string) error {
	return targetstate.Save(state, root, deployment)
}

// Wipe implements session.Target. An agent that was placed there has nothing to go on
// with any more.
func (t target) Wipe(root string) error {
	return errors.Join(targetstate.Wipe(root), installed.Unplace(root))
}

// Recover implements session.Target.
func (t target) Recover(ctx context.Context, state string) string {
	f := targetstate.Finder{Devices: targetstate.Partitions(os.DirFS("/sys")), At: "/run/slipway-look", Log: t.log,
		Mount: func(device, at string) (func() error, error) {
			t.load("ext4") // not before: most machines have nothing to be mounted here
			return targetstate.MountExt4(device, at)
		}}
	return f.Find(ctx, state)
}

// Place implements session.Target.
func (t target) Place(root, server string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return installed.Placement{Executable: self, Server: server, Installation: t.image.Installation, Authorities: t.image.Authorities}.Into(root)
}
