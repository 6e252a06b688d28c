package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/backup"
	"slipway/appliance/internal/config"
	"slipway/appliance/internal/durable"
	"slipway/appliance/internal/socket"
)

func (a *app) backupCommand() *cobra.Command {
	var force, content bool
	c := &cobra.Command{Use: "backup FILE", Short: "Write a backup of the running appliance, sealed under a recovery passphrase", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.backup(c.Context(), args[0], force, content)
		}}
	c.Flags().BoolVar(&force, "force", false, "replace FILE when it exists")
	c.Flags().BoolVar(&content, "content", false, "with the bytes of content; without, only what is known of them")
	return c
}

// backup writes the file under another name first: it exists whole or not at all.
func (a *app) backup(ctx context.Context, file string, force, content bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	path, err := cfg.SocketPath()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !force {
		return errExists(file)
	}
	configuration, err := config.Source{File: a.configFile, Environ: a.environ}.Read()
	if err != nil {
		return err
	}
	passphrase, err := a.readSecret("Recovery passphrase")
	if err != nil {
		return err
	}
	if err := backup.CheckPassphrase(passphrase); err != nil {
		return err
	}
	err = writeWhole("backup", file, force, func(f *os.File) error {
		request := api.WriteBackup{Passphrase: passphrase, Configuration: configuration, Content: content}
		return socket.NewClient(path).Whole(ctx, "POST", "/api/v1/admin/backup", request, f)
	})
	if err != nil {
		return err
	}
	without := "the bytes of content (slipway backup --content), "
	if content {
		without = ""
	}
	_, err = fmt.Fprintf(a.out, `The backup is in %s. It holds every secret of the appliance, sealed under the recovery passphrase:
without the passphrase it is worth nothing, to you as to others. Keep both, apart from each other.
Not in it: %sboot images (build them again after a restore) and the log lines of deployments.
`, file, without)
	return err
}

func errExists(file string) error {
	return fmt.Errorf("%s exists: choose another name, or replace it with --force; nothing was written", file)
}

// writeWhole makes a file that fill writes, readable by its owner only unless fill
// says otherwise. what names it in errors.
func writeWhole(what, file string, replace bool, fill func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".slipway-"+what+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err = fill(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = give(f.Name(), file, replace)
	}
	if err == nil {
		return durable.Folder(filepath.Dir(file))
	}
	_ = os.Remove(f.Name())
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("there is no room for the %s at %s: nothing was written", what, file)
	}
	return err
}

// give renames a file; without replace only to a name that nobody has. File systems
// that cannot do both at once are looked at first.
func give(from, to string, replace bool) error {
	if !replace {
		err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			if _, err = os.Lstat(to); err == nil {
				err = unix.EEXIST
			} else {
				err = os.Rename(from, to)
			}
		}
		if errors.Is(err, fs.ErrExist) {
			return errExists(to)
		}
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func (a *app) restoreCommand() *cobra.Command {
	var need backup.Needed
	c := &cobra.Command{Use: "restore FILE", Short: "Make a new data folder from a backup; no appliance may be running with it", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return a.restore(c.Context(), args[0], need) }}
	c.Flags().BoolVar(&need.Content, "content", false, "only from a backup that holds the bytes of content; they are restored in any case")
	return c
}

func (a *app) restore(ctx context.Context, file string, need backup.Needed) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	if err := backup.Claimable(cfg.Data); err != nil { // before the question
		return err
	}
	passphrase, err := a.readKnownSecret("Recovery passphrase")
	if err != nil {
		return err
	}
	syscall.Umask(0o077)
	m, err := backup.Restore(ctx, cfg.Data, f, passphrase, need)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, `The backup of %s (installation %s, Slipway %s) is restored to %s.
Start the appliance with: slipway serve. Then build the boot images again: slipway image build linux.
Media made before boot and sign in as they did. Everybody at the console signs in anew. API tokens, accounts and
passcodes are those of the backup: what was revoked or changed since must be revoked or changed again.
`, stamp(m.Created), m.Installation, printable(m.Version), cfg.Data)
	if m.Content == nil {
		fmt.Fprintln(a.out, "The backup was made without --content: add the bytes of content again; slipway content verify lists what is missing.")
	}
	if kept := filepath.Join(cfg.Data, backup.ConfigurationName); exists(kept) {
		fmt.Fprintf(a.out, "The configuration file of then is %s; it is not used from there.\n", kept)
	}
	return nil
}

// readKnownSecret is readSecret for a secret that is not new: it is asked for once.
func (a *app) readKnownSecret(what string) (string, error) {
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return a.prompt(f, what+": ")
	}
	return a.readSecret(what)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
