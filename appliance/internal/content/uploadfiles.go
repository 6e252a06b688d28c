package content

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"slipway/agent/wire"
	"slipway/appliance/internal/durable"
)

// unfinished is the pattern of files that get their name when they are whole.
const unfinished = ".new-*"

// uploadFormat is the format number of the records of uploads.
const uploadFormat = 1

// deviceUploads are files in a folder: what was kept survives a restart.
type deviceUploads struct {
	dir string

	mu      sync.Mutex
	busy    map[string]*uploadLock // by upload, while somebody works with it
	commits map[string]string      // by upload: its job
}

// uploadRecord is <id>.json beside <id>.data.
type uploadRecord struct {
	Format      int       `json:"format"`
	Deployment  string    `json:"deployment"`
	Item        string    `json:"item,omitempty"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Purpose     string    `json:"purpose"`
	File        string    `json:"file"`
	At          time.Time `json:"at"`
}

func (d *deviceUploads) info(id string) string { return filepath.Join(d.dir, id+".json") }
func (d *deviceUploads) data(id string) string { return filepath.Join(d.dir, id+".data") }

// clean removes what was not written to its end.
func (d *deviceUploads) clean() error {
	left, err := fs.Glob(os.DirFS(d.dir), unfinished) // the folder's own name is no pattern
	for _, name := range left {
		err = errors.Join(err, os.Remove(filepath.Join(d.dir, name)))
	}
	return err
}

// uploadLock is held by one of users, the others wait for it.
type uploadLock struct {
	sync.Mutex
	users int
}

// lock serialises what is done with one upload.
func (d *deviceUploads) lock(id string) (unlock func()) {
	d.mu.Lock()
	if d.busy == nil {
		d.busy, d.commits = map[string]*uploadLock{}, map[string]string{}
	}
	one := d.busy[id]
	if one == nil {
		one = &uploadLock{}
		d.busy[id] = one
	}
	one.users++
	d.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(d.busy, id)
		}
	}
}

func (d *deviceUploads) list() (map[string]uploadRecord, error) {
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	out := map[string]uploadRecord{}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			if r, err := d.read(id); err == nil {
				out[id] = r
			}
		}
	}
	return out, err
}

func (d *deviceUploads) read(id string) (r uploadRecord, err error) {
	text, err := os.ReadFile(d.info(id))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: no upload %q", ErrNotFound, id)
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && r.Format > uploadFormat {
		err = fmt.Errorf("the upload %s was begun by a newer version of Slipway", id)
	}
	return r, err
}

// begin writes the record last: an upload exists when that does.
func (d *deviceUploads) begin(id string, r uploadRecord) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(d.data(id), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Replace(d.info(id), unfinished, text)
}

// state says how much is kept. The data of an upload can be missing where its record is
// not: nothing is kept then.
func (d *deviceUploads) state(id string) (wire.UploadState, error) {
	info, err := os.Stat(d.data(id))
	if errors.Is(err, fs.ErrNotExist) {
		return wire.UploadState{Upload: id}, nil
	}
	if err != nil {
		return wire.UploadState{}, fmt.Errorf("look at an upload: %w", err)
	}
	return wire.UploadState{Upload: id, Offset: info.Size()}, nil
}

// own reads the record of a deployment's upload.
func (d *deviceUploads) own(deployment, id string) (uploadRecord, error) {
	if uuid.Validate(id) != nil {
		return uploadRecord{}, fmt.Errorf("%w: no upload %q", ErrNotFound, id)
	}
	r, err := d.read(id)
	if err == nil && r.Deployment != deployment {
		err = fmt.Errorf("%w: no upload %q", ErrNotFound, id)
	}
	return r, err
}

func (d *deviceUploads) remove(id string) error {
	err := os.Remove(d.info(id))
	if e := os.Remove(d.data(id)); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.commits, id)
	return err
}
