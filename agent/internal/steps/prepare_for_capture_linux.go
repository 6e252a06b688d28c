package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"slipway/agent/internal/bootable"
	"slipway/agent/internal/targetstate"
)

// ofOneMachine are patterns of files and folders that belong to one machine only,
// besides what bootable.ResetIdentity knows.
var ofOneMachine = []string{
	// cloud-init does its work once for each instance; seed is where its data comes from
	"var/lib/cloud/instance", "var/lib/cloud/instances", "var/lib/cloud/data", "var/lib/cloud/sem",
	// DHCP clients: ISC, dhcpcd, NetworkManager, networkd
	"var/lib/dhcp/*.leases", "var/lib/dhclient/*.lease*", "var/lib/dhcpcd/*.lease*", "var/lib/NetworkManager/*.lease", "var/lib/systemd/network/*",
	"var/lib/NetworkManager/secret_key", "var/lib/NetworkManager/timestamps", "var/lib/NetworkManager/seen-bssids",
	// names of adapters and drives by their addresses, as udev wrote them down
	"etc/udev/rules.d/70-persistent-net.rules", "etc/udev/rules.d/70-persistent-cd.rules",
	"root/.bash_history",
}

// prepareForCapture makes a system fit to be copied to other machines.
func prepareForCapture(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	done, err := bootable.ResetIdentity(y.dir)
	for _, text := range done {
		s.Log("info", text)
	}
	if err != nil {
		return Outcome{}, err
	}
	for _, pattern := range ofOneMachine {
		if err := y.discard(pattern); err != nil {
			return Outcome{}, err
		}
	}
	removed, emptied, err := y.clearLogs(ctx, "var/log")
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("/var/log: %d files removed, %d emptied", removed, emptied))
	return Outcome{}, nil
}

// discard removes all that a pattern names.
func (y *system) discard(pattern string) error {
	names, err := fs.Glob(y.dir.FS(), pattern)
	if err != nil {
		return fmt.Errorf("look for /%s: %w", pattern, err)
	}
	for _, name := range names {
		if err := y.dir.RemoveAll(name); err != nil {
			return fmt.Errorf("remove /%s: %w", name, err)
		}
		y.step.Log("info", "/"+name+" removed")
	}
	return nil
}

// clearLogs removes rotated logs and the journal's files below dir, and empties the
// others: who writes them goes on to do so, and finds owner and mode as they were.
func (y *system) clearLogs(ctx context.Context, dir string) (removed, emptied int, err error) {
	err = fs.WalkDir(y.dir.FS(), dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // no logs at all, or gone in between
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !e.Type().IsRegular() || strings.HasPrefix("/"+name, targetstate.Folder):
			return nil
		case strings.HasPrefix(name, dir+"/journal/") || rotated(e.Name()):
			removed++
			return y.dir.Remove(name)
		}
		info, err := e.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		emptied++
		f, err := y.dir.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		err = fmt.Errorf("clear the logs: %w", err)
	}
	return removed, emptied, err
}

// rotated knows the names that logrotate gives: syslog.1, syslog.2.gz, messages-20240506.
func rotated(name string) bool {
	switch path.Ext(name) {
	case ".gz", ".xz", ".zst", ".bz2", ".old":
		return true
	}
	i := strings.LastIndexAny(name, ".-")
	return i > 0 && i < len(name)-1 && strings.Trim(name[i+1:], "0123456789") == ""
}
