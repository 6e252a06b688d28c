package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"slipway/agent/internal/boot"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/installed"
	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence/unattend"
)

// target implements session.Target in WinPE: the Windows on the disk that is being
// installed.
type target struct {
	image boot.Image
	disks *disk.Windows
	log   *slog.Logger
}

// Root implements session.Target.
func (t target) Root() string { return t.disks.Target() }

// Save implements session.Target. Only administrators may look, whatever the volume's
// root gives to others.
func (t target) Save(state, root, deployment string) error {
	if err := windowstarget.SaveState(state, root, deployment); err != nil {
		return err
	}
	return windowstarget.Protect(filepath.Join(root, filepath.FromSlash(windowstarget.Folder)))
}

// Wipe implements session.Target.
func (t target) Wipe(root string) error { return windowstarget.Wipe(root) }

// Recover implements session.Target: WinPE gives letters to the volumes that it finds.
func (t target) Recover(ctx context.Context, state string) string {
	used, err := t.disks.Drives.Letters()
	if err != nil {
		t.log.Warn("looking for an unfinished deployment", "error", err)
		return ""
	}
	for _, letter := range slices.Sorted(maps.Keys(used)) {
		root := letter + `:\`
		if letter == t.disks.System || ctx.Err() != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(windowstarget.State))); err != nil {
			continue // most volumes; an optical drive without a disc, one that BitLocker keeps closed
		}
		id, err := windowstarget.TakeState(root, state)
		if err != nil {
			t.log.Warn("looking for an unfinished deployment", "drive", root, "error", err)
		}
		if id != "" {
			return id
		}
	}
	return ""
}

// Place implements session.Target.
func (t target) Place(root, server, start string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	agent, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("read the agent itself: %w", err)
	}
	defer agent.Close()
	config, err := installed.PlacedConfig(server, t.image.Installation, t.image.Authorities)
	if err != nil {
		return err
	}
	changes, err := windowstarget.Placement{Agent: agent, Config: config, Start: start, Architecture: architecture()}.Into(root)
	for _, c := range changes {
		t.log.Info("answer file", "change", c.String())
	}
	return err
}

// architecture is that of this WinPE, which is the one of the Windows that it installs.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return unattend.ARM64
	}
	return unattend.AMD64
}
