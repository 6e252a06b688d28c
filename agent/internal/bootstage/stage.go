package bootstage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway/agent/wire"
)

// Stage is the Windows whose disk Windows PE is put onto.
type Stage struct {
	Drive   string // of the running Windows: "C:"
	Root    string // of that drive: `C:\`
	Run     Tool
	Free    func(folder string) (bytes int64, err error)
	Protect func(folder string) error // closes a folder to all but SYSTEM and administrators
	UEFI    bool                      // of the firmware; set before Put
}

// Fetch puts a file of a boot image into a file that it makes, checked against its hash.
type Fetch func(ctx context.Context, f wire.BootFile, name string) error

// undoTime bounds what is taken back, also when the deployment is cancelled.
const undoTime = 5 * time.Minute

func (s *Stage) folder() string { return filepath.Join(s.Root, filepath.FromSlash(slashed(Folder))) }

// Put puts an image onto the disk and has the boot manager start it once. When it fails
// everything is as before.
func (s *Stage) Put(ctx context.Context, deployment string, image wire.WinPEImage, fetch Fetch, log Log) error {
	if err := s.Undo(ctx, log); err != nil { // of an earlier try
		return err
	}
	guarded, err := s.protected(ctx)
	if err != nil {
		return err
	}
	err = s.put(ctx, Record{Deployment: deployment, Image: image.Image}, image, guarded, fetch, log)
	if err == nil {
		return nil
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if undo := s.Undo(back, log); undo != nil {
		return fmt.Errorf("%w; and what was begun could not be taken back: %w", err, undo)
	}
	return err
}

func (s *Stage) put(ctx context.Context, r Record, image wire.WinPEImage, guarded bool, fetch Fetch, log Log) error {
	dir := s.folder()
	if err := s.room(dir, image); err != nil {
		return err
	}
	if err := s.Protect(dir); err != nil {
		return err
	}
	if err := r.save(dir); err != nil {
		return err
	}
	for _, f := range image.Files {
		if err := fetch(ctx, f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	if guarded {
		r.Suspended = true
		if err := r.save(dir); err != nil {
			return err
		}
		if err := s.suspend(ctx); err != nil {
			return err
		}
		log("info", fmt.Sprintf("BitLocker of drive %s is suspended for %d restart. The drive stays encrypted; its key lies on it in the clear until then", s.Drive, Reboots))
	} else {
		log("info", fmt.Sprintf("BitLocker does not protect drive %s, nothing is suspended", s.Drive))
	}
	err := s.enter(ctx, func(id string) error {
		r.Entries = append(r.Entries, id)
		return r.save(dir)
	})
	if err != nil {
		return err
	}
	log("info", fmt.Sprintf("Windows PE (image %.12s) lies in %s; the boot manager starts it at the next start, and only then", r.Image, dir))
	return ctx.Err()
}

// room makes the folder and refuses a drive that is too full before anything is fetched.
func (s *Stage) room(dir string, image wire.WinPEImage) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for Windows PE: %w", err)
	}
	need := int64(spare)
	for _, f := range image.Files {
		need += f.Size
	}
	free, err := s.Free(dir)
	if err != nil {
		return fmt.Errorf("ask for the free room of drive %s: %w", s.Drive, err)
	}
	if free < need {
		return fmt.Errorf("drive %s has %d MiB free, and Windows PE needs %d MiB (%d of them stay free): make room there", s.Drive, free>>20, need>>20, spare>>20)
	}
	return nil
}

// Staged is the deployment for which Windows PE lies on the disk; empty: none does.
func (s *Stage) Staged() string {
	r, _, err := load(s.folder())
	if err != nil {
		return ""
	}
	return r.Deployment
}

// Undo takes back what Put did: entries, BitLocker, files. Nothing to take back is no error.
// The record stays as long as something of it could not be taken back, but the large files
// go in any case: without them the entry leads nowhere but back to Windows.
func (s *Stage) Undo(ctx context.Context, log Log) error {
	dir := s.folder()
	r, there, err := load(dir)
	if err != nil {
		log("warn", err.Error())
	}
	if !there {
		return removeFolder(dir)
	}
	var errs []error
	if err := s.forget(ctx, r.Entries); err != nil {
		errs = append(errs, err)
	} else {
		r.Entries = nil
	}
	if r.Suspended {
		if err := s.resume(ctx); err != nil {
			errs = append(errs, err)
		} else {
			r.Suspended = false
			log("info", fmt.Sprintf("BitLocker protects drive %s again", s.Drive))
		}
	}
	if len(errs) == 0 {
		err := removeFolder(dir)
		if err == nil {
			log("info", "Windows PE and its boot entry are removed from the disk")
		}
		return err
	}
	errs = append(errs, r.save(dir))
	for _, name := range []string{"boot.wim", "boot.sdi"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func removeFolder(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the files of Windows PE: %w", err)
	}
	_ = os.Remove(filepath.Dir(dir)) // when nothing else is in it
	return nil
}

// slashed has the folder's path with slashes, for systems other than Windows: tests.
func slashed(path string) string {
	b := []byte(path)
	for i := range b {
		if b[i] == '\\' {
			b[i] = '/'
		}
	}
	return string(b)
}
