package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/installed"
	"slipway/agent/internal/steps"
	"slipway/agent/internal/targetstate"
	"slipway/agent/internal/toolpack"
	"slipway/agent/internal/windowstarget"
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

// Save implements session.Target: on the volume of a Windows where the agent for Windows
// looks for it.
func (t target) Save(state, root, deployment string) error {
	if !windowstarget.IsWindows(root) {
		return targetstate.Save(state, root, deployment)
	}
	if err := windowstarget.SaveState(state, root, deployment); err != nil {
		return err
	}
	return protect(root)
}

// protect closes the agent's folder on the volume of a Windows: what ntfs-3g makes is
// everybody's.
func protect(root string) error {
	volume, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	return windowstarget.Protect(filepath.Join(root, windowstarget.Spelled(volume, windowstarget.Folder)))
}

// Wipe implements session.Target. An agent that was placed there has nothing to go on
// with any more.
func (t target) Wipe(root string) error {
	if windowstarget.IsWindows(root) {
		return windowstarget.Wipe(root)
	}
	return errors.Join(targetstate.Wipe(root), installed.Unplace(root))
}

// Recover implements session.Target.
func (t target) Recover(ctx context.Context, state string) string {
	f := targetstate.Finder{Devices: targetstate.Partitions(os.DirFS("/sys")), At: "/run/slipway-look", Log: t.log,
		Mount: func(device, fs, at string) (func() error, error) {
			t.load(fs) // not before: most machines have nothing to be mounted here
			return targetstate.MountReadOnly(device, fs, at)
		}}
	return f.Find(ctx, state)
}

// Place implements session.Target.
func (t target) Place(root, server, start string) error {
	if windowstarget.IsWindows(root) {
		return t.placeWindows(root, server, start)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return installed.Placement{Executable: self, Server: server, Installation: t.image.Installation, Authorities: t.image.Authorities}.Into(root)
}

// placeWindows puts the agent for Windows, out of the tool pack, onto the volume of a
// Windows.
func (t target) placeWindows(root, server, start string) error {
	config, err := installed.PlacedConfig(server, t.image.Installation, t.image.Authorities)
	if err != nil {
		return err
	}
	agent, err := os.Open(toolpack.Find("/", steps.WindowsAgent))
	if err != nil {
		return fmt.Errorf("the agent for Windows: %w", err)
	}
	defer agent.Close()
	changes, err := windowstarget.Placement{Agent: agent, Config: config, Start: start}.Into(root)
	for _, c := range changes {
		t.log.Info("answer file", "change", c.String())
	}
	return err
}
