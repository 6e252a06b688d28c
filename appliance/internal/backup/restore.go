package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/durable"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Needed is what a backup must hold to be restored; what it holds is restored in any case.
type Needed struct {
	Content bool
}

// Restore makes a data folder from a backup. The folder must not exist, or be empty;
// no appliance may use it. On an error nothing is changed. Should the process be
// killed, the folder is marked as unfinished (Unfinished) and a second run begins anew.
//
// Errors: ErrNotEmpty, ErrRunning, ErrBusy, ErrNotBackup, ErrPassphrase, ErrDamaged,
// ErrNewer, ErrNoContent; and those of the disk.
func Restore(ctx context.Context, data string, r io.Reader, passphrase string, need Needed) (m Manifest, err error) {
	f, err := claim(data)
	if err != nil {
		return m, err
	}
	f.need = need
	defer func() { err = fullDisk(data, m, errors.Join(err, f.release(err != nil))) }()
	if m, err = read(ctx, r, passphrase, f); err != nil {
		return m, foreign(err)
	}
	if err := f.verify(ctx, m); err != nil {
		return m, err
	}
	if err := f.record(ctx, m); err != nil {
		return m, err
	}
	return m, f.place()
}

// foreign says of the errors of other packages what they mean here.
func foreign(err error) error {
	switch {
	case errors.Is(err, state.ErrNewer):
		return fmt.Errorf("%w (%v)", ErrNewer, err)
	case errors.Is(err, state.ErrDamaged), errors.Is(err, content.ErrDamaged):
		return fmt.Errorf("%w (%v)", ErrDamaged, err)
	}
	return err
}

// fullDisk says in a line what a full disk means for a restore.
func fullDisk(data string, m Manifest, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, state.ErrFull) {
		size := ""
		if m.Content != nil {
			size = fmt.Sprintf(" (its content alone has %d bytes)", m.Content.Size)
		}
		return fmt.Errorf("the disk of %s is too full for the backup%s: free some space, and restore again; nothing was changed", data, size)
	}
	return err
}

// expect looks for the content, and whether there is room for it, before anything is written.
func (f *folder) expect(m Manifest) (err error) {
	if m.Content == nil && f.need.Content {
		return ErrNoContent
	}
	if m.Content == nil {
		return nil
	}
	if f.content, err = content.NewIntake(filepath.Join(f.stage, contentFolder)); err != nil {
		return err
	}
	return f.content.Room(m.Content.Size)
}

// putBlob writes bytes of content into the stage.
func (f *folder) putBlob(ctx context.Context, b content.Blob, r io.Reader) error {
	err := f.content.Put(ctx, b, r)
	if errors.Is(err, content.ErrDamaged) {
		return fmt.Errorf("%w (the content %.12s has another sum)", ErrDamaged, b.SHA256)
	}
	return err
}

// put writes one entry of the archive into the stage.
func (f *folder) put(ctx context.Context, e File, r io.Reader) error {
	to := filepath.Join(f.stage, filepath.FromSlash(e.Name)) // a known name: manifest.check
	if e.Name == stateName {
		return state.Restore(ctx, to, r)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("restore %s: %w", e.Name, err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("restore %s: %w", e.Name, err)
	}
	_, err = io.Copy(out, r)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("restore %s: %w", e.Name, err)
	}
	return nil
}

// verify opens what was restored: the state with its key, and whose it is.
func (f *folder) verify(ctx context.Context, m Manifest) (err error) {
	key, err := os.ReadFile(filepath.Join(f.stage, keyName))
	if err != nil {
		return fmt.Errorf("restore the key: %w", err)
	}
	store, err := state.Open(ctx, state.Options{Dir: filepath.Join(f.stage, stateName), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return foreign(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := secrets.Check(store, key); err != nil {
		return fmt.Errorf("%w (its key does not open its state)", ErrDamaged)
	}
	return store.View(func(tx *state.Tx) error {
		i, err := tx.Installation().Get(state.Self)
		if err != nil || i.ID != m.Installation {
			return fmt.Errorf("%w (its state is of another installation)", ErrDamaged)
		}
		if f.content != nil {
			return foreign(f.content.Check(ctx, tx))
		}
		return nil
	})
}

// record notes the restore in the audit log that comes with it.
func (f *folder) record(ctx context.Context, m Manifest) error {
	log, err := audit.Open(filepath.Join(f.stage, auditFolder), audit.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("restore the audit log: %w", err)
	}
	err = log.Write(ctx, fleet.AuditEntry{Actor: "local", Action: "backup.restored", Outcome: audit.OutcomeOK,
		Object: m.Installation, Reason: "the backup of " + m.Created.Format("2006-01-02 15:04:05 MST")})
	return errors.Join(err, log.Close())
}

// stageName is the folder in the data folder where a restore prepares everything. While
// it is there, nothing in the data folder may be used.
const stageName = "restore.unfinished"

// placed are the names a restore gives, the state as the last one.
var placed = []string{auditFolder, catalogueFolder, ConfigurationName, contentFolder, keyName, stateName}

// Unfinished reports ErrUnfinished when a restore into a data folder was cut short.
func Unfinished(data string) error {
	if _, err := os.Lstat(filepath.Join(data, stageName)); err == nil {
		return ErrUnfinished
	}
	return nil
}

// Claimable reports early what would keep a restore from a data folder: ErrNotEmpty,
// ErrRunning.
func Claimable(data string) error {
	f := &folder{data: data, stage: filepath.Join(data, stageName)}
	return f.look(Unfinished(data) != nil)
}

// folder is a data folder that a restore has to itself.
type folder struct {
	data  string
	stage string
	made  bool // the data folder did not exist
	lock  *os.File
	need  Needed

	content *content.Intake // nil: a backup without content
}

// claim makes sure that the folder is empty, or is what an earlier restore left, and
// marks it.
func claim(data string) (*folder, error) {
	f := &folder{data: data, stage: filepath.Join(data, stageName)}
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		f.made = true
	}
	if err := Claimable(data); err != nil { // before anything is made
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	err := os.Mkdir(f.stage, 0o700)
	again := errors.Is(err, fs.ErrExist)
	if err != nil && !again {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if f.lock, err = lock(filepath.Join(f.stage, "lock")); err != nil {
		return nil, err
	}
	// Nobody else restores now; but somebody may have between the first look and here.
	if err := f.look(again); err != nil {
		if !again {
			err = errors.Join(err, os.RemoveAll(f.stage))
		}
		return nil, errors.Join(err, f.lock.Close())
	}
	if err := errors.Join(durable.Folder(data), f.clear()); err != nil {
		return nil, errors.Join(err, f.release(true))
	}
	return f, nil
}

// look refuses a folder that holds something. A file system's own does not count, nor
// does what an unfinished restore had placed.
func (f *folder) look(unfinished bool) error {
	list, err := os.ReadDir(f.data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	for _, e := range list {
		switch name := e.Name(); {
		case name == "lost+found", name == stageName, unfinished && slices.Contains(placed, name):
		case state.InUse(filepath.Join(f.data, stateName)):
			return fmt.Errorf("%s: %w", f.data, ErrRunning)
		default:
			return fmt.Errorf("%s: %w", f.data, ErrNotEmpty)
		}
	}
	return nil
}

// clear removes what an earlier restore left: all but the mark.
func (f *folder) clear() error {
	var errs []error
	for _, name := range placed {
		errs = append(errs, os.RemoveAll(filepath.Join(f.data, name)), os.RemoveAll(filepath.Join(f.stage, name)))
	}
	errs = append(errs, os.RemoveAll(filepath.Join(f.stage, stateName+".new")))
	return errors.Join(errs...)
}

// place gives everything its name. A state that is in place without the mark is whole,
// and has its key.
func (f *folder) place() error {
	for _, name := range placed {
		err := os.Rename(filepath.Join(f.stage, name), filepath.Join(f.data, name))
		optional := name == ConfigurationName || name == contentFolder || name == catalogueFolder
		if err != nil && !(optional && errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return durable.Folder(f.data)
}

// release removes the mark, and what was placed when the restore failed.
func (f *folder) release(failed bool) error {
	defer f.lock.Close()
	var errs []error
	if failed {
		errs = append(errs, f.clear())
	}
	if errors.Join(errs...) == nil { // what could not be removed stays marked
		errs = append(errs, os.RemoveAll(f.stage), durable.Folder(f.data))
	}
	if failed && f.made {
		errs = append(errs, os.Remove(f.data))
	}
	return errors.Join(errs...)
}
