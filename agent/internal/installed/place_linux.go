package installed

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slipway/agent/internal/durable"
	"slipway/agent/internal/targetstate"
)

// Where the agent lies in a system that it was placed into; it removes all of it at
// the end of the deployment.
const (
	placedAgent  = "/usr/local/sbin/slipway-agent"
	placedConfig = "/etc/slipway-agent.json"
	unitFolder   = "/etc/systemd/system"
)

// ErrNoSystemd says that nothing in the system would start the agent.
var ErrNoSystemd = errors.New("the installed system has no systemd, which is to start the agent there: put a Linux system with systemd on the disk")

// Placement is the agent as it is put into a system that does not run yet, so that it
// goes on with the deployment there.
type Placement struct {
	Executable   string // of the agent that runs now; it has no needs of its own (no shared libraries)
	Server       string // of the appliance, "host:port"
	Installation string
	Authorities  []*x509.Certificate
}

// Into puts the agent, its configuration and its service into the system at root.
// Done again it changes nothing. Links that lead out of root are not followed.
func (p Placement) Into(root string) error {
	system, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the installed system: %w", err)
	}
	defer system.Close()
	if !hasSystemd(system) {
		return ErrNoSystemd
	}
	config, err := PlacedConfig(p.Server, p.Installation, p.Authorities)
	if err != nil {
		return err
	}
	agent, err := os.Open(p.Executable)
	if err != nil {
		return fmt.Errorf("read the agent itself: %w", err)
	}
	defer agent.Close()
	unit := systemd{state: targetstate.Folder}.unit([]string{placedAgent, "start", "--unattended", "--config", placedConfig, "--state", targetstate.Folder})
	err = errors.Join(
		placeFile(system, placedAgent, 0o755, agent),
		placeFile(system, placedConfig, 0o600, bytes.NewReader(config)),
		placeFile(system, path.Join(unitFolder, unitName), 0o644, strings.NewReader(unit)),
		enable(system))
	if err != nil {
		return fmt.Errorf("put the agent into the installed system: %w", err)
	}
	return nil
}

func hasSystemd(system *os.Root) bool {
	for _, name := range []string{"usr/lib/systemd/systemd", "lib/systemd/systemd"} {
		if _, err := system.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// placeFile writes a file whole or not at all. It is on the disk afterwards.
func placeFile(system *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	name = strings.TrimPrefix(name, "/")
	dir := path.Dir(name)
	if err := system.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	part := path.Join(dir, partPrefix+path.Base(name))
	if err := system.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := system.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = system.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, system.Remove(part))
	}
	return durable.FolderIn(system, dir)
}

// enable does what systemctl enable does for a unit that multi-user.target wants.
func enable(system *os.Root) error {
	wants := strings.TrimPrefix(unitFolder, "/") + "/multi-user.target.wants"
	if err := system.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	err := system.Symlink(path.Join(unitFolder, unitName), path.Join(wants, unitName))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.FolderIn(system, wants)
}

// unplace removes what Into put there, once the deployment is over. The agent that
// runs goes on until it ends.
func unplace(root string) error {
	var errs []error
	for _, name := range []string{placedConfig, placedAgent} {
		if err := os.Remove(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Unplace removes what Into put into the system at root, which does not run: its
// deployment ended in the boot image. A system without a placed agent, or with one of
// its own, stays as it is. Links that lead out of root are not followed.
func Unplace(root string) error {
	system, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("open the installed system: %w", err)
	}
	defer system.Close()
	var placed struct{ Temporary bool }
	text, err := system.ReadFile(strings.TrimPrefix(placedConfig, "/"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (json.Unmarshal(text, &placed) != nil || !placed.Temporary) {
		return nil
	}
	names := []string{placedAgent, placedConfig} // the configuration last: it says that the rest is ours
	unit := path.Join(unitFolder, unitName)
	if text, unitErr := system.ReadFile(strings.TrimPrefix(unit, "/")); unitErr == nil && strings.HasPrefix(string(text), unitMark) {
		names = append([]string{path.Join(unitFolder, "multi-user.target.wants", unitName), unit}, names...)
	}
	for _, name := range names {
		if err != nil {
			break
		}
		name = strings.TrimPrefix(name, "/")
		if err = system.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = durable.FolderIn(system, path.Dir(name))
		}
	}
	if err != nil {
		return fmt.Errorf("remove the agent from the installed system: %w", err)
	}
	return nil
}
