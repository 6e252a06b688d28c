package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"slipway/appliance/internal/mdt"
)

// stagedPattern names the folders of items under way, in the appliance's data folder.
const stagedPattern = "mdt-import-*"

// staged are the files of an item, put together where the appliance reads them.
type staged struct {
	dir  string
	path string   // what the item is made of
	held *os.File // the folder, locked: an import is at work
}

// stagingFolder is where the folders of items under way lie.
func (a *app) stagingFolder() (string, error) {
	c, err := a.load()
	if err != nil {
		return "", err
	}
	socket, err := c.SocketPath()
	return filepath.Dir(socket), err
}

// stage puts the files of an item together in a folder of the data folder: linked where
// that is possible.
func (a *app) stage(i mdt.Item) (*staged, error) {
	parent, err := a.stagingFolder()
	if err != nil {
		return nil, err
	}
	s, err := newStaged(parent)
	if err != nil {
		return nil, err
	}
	if err := s.fill(i); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func newStaged(parent string) (*staged, error) {
	dir, err := os.MkdirTemp(parent, stagedPattern)
	if err != nil {
		return nil, err
	}
	s := &staged{dir: dir, path: dir}
	if s.held, err = hold(dir); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// dropStaged removes the folders of imports that were ended by force. A folder is held
// as soon as it is made; one that is not held a minute later has nobody.
func dropStaged(parent string) error {
	folders, err := os.ReadDir(parent)
	for _, f := range folders {
		if ours, _ := filepath.Match(stagedPattern, f.Name()); !ours || !f.IsDir() {
			continue
		}
		info, e := f.Info()
		if e != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		dir := filepath.Join(parent, f.Name())
		held, e := hold(dir)
		if e != nil {
			continue // at work, or gone by now
		}
		err = errors.Join(err, os.RemoveAll(dir), held.Close())
	}
	return err
}

// hold locks a folder until the file is closed or the program ends.
func hold(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
	}
	return f, nil
}

func (s *staged) fill(i mdt.Item) error {
	if i.Data != nil {
		s.path = filepath.Join(s.dir, i.File)
		return os.WriteFile(s.path, i.Data, 0o600)
	}
	for _, f := range i.Files {
		to := filepath.Join(s.dir, filepath.FromSlash(f.To))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if os.Link(f.From, to) == nil {
			continue
		}
		if err := copyFile(f.From, to); err != nil {
			return err
		}
	}
	return nil
}

// remove is for the end of the import. What it cannot remove, a later import does.
func (s *staged) remove() {
	_ = os.RemoveAll(s.dir)
	if s.held != nil {
		_ = s.held.Close() // read only
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
