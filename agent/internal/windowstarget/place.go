package windowstarget

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"slipway/agent/internal/durable"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// Placement is the agent as it is put onto a volume.
type Placement struct {
	Agent        io.Reader // slipway-agent.exe for the processor of the Windows there
	Config       []byte    // its configuration (installed.PlacedConfig)
	Start        string    // what starts it, of tasksequence.AgentStarts; specialize when empty
	Architecture string    // of the answer file: unattend.AMD64, ARM64 or X86
}

// Into writes the agent, its configuration and what starts it. Done again it changes
// nothing. All is on the disk afterwards. Links that lead out of root are not followed.
// It answers what it changed in the answer file. The error wraps ErrNoWindows where
// there is none.
func (p Placement) Into(root string) ([]unattend.Change, error) {
	if !IsWindows(root) {
		return nil, fmt.Errorf("%s: %w: an Apply operating system step has to come first", root, ErrNoWindows)
	}
	if p.Start != "" && !slices.Contains(tasksequence.AgentStarts(), p.Start) {
		return nil, fmt.Errorf("put the agent into the installed Windows: %q is no way to start it", p.Start)
	}
	volume, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	err = p.files(volume, root)
	if err != nil {
		return nil, fmt.Errorf("put the agent into the installed Windows: %w", err)
	}
	changes, err := p.start(volume, root)
	if err != nil {
		return nil, fmt.Errorf("make the installed Windows start the agent: %w", err)
	}
	return changes, nil
}

func (p Placement) files(volume *os.Root, root string) error {
	folder := find(volume, Folder)
	if err := volume.MkdirAll(find(volume, Deployment), 0o700); err != nil {
		return err
	}
	// Before anything lies there that others must not change.
	if err := Protect(filepath.Join(root, filepath.FromSlash(folder))); err != nil {
		return err
	}
	if err := put(volume, Agent, 0o700, p.Agent); err != nil {
		return err
	}
	if err := put(volume, Config, 0o600, bytes.NewReader(p.Config)); err != nil {
		return err
	}
	return Protect(filepath.Join(root, filepath.FromSlash(folder))) // the new files too, where they inherit nothing
}

// put writes a file whole or not at all. It is on the disk afterwards.
func put(volume *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	name = find(volume, name)
	dir := path.Dir(name)
	if err := volume.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	part := path.Join(dir, ".slipway-"+path.Base(name))
	if err := volume.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := volume.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = volume.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, volume.Remove(part))
	}
	return durable.FolderIn(volume, dir)
}

// Unplace removes the agent of a deployment from a volume whose Windows does not run:
// what starts it finds nothing then, and does nothing. State is Wipe's.
func Unplace(root string) error {
	volume, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	dir := find(volume, Deployment)
	if err := volume.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the agent from the installed Windows: %w", err)
	}
	folder := path.Dir(dir)
	if err := volume.Remove(folder); err != nil { // there is none, or something else is in it
		return nil
	}
	return durable.FolderIn(volume, path.Dir(folder))
}
