package content

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// MaxPiece bounds one piece of a device's upload, in bytes: it is held in memory.
const MaxPiece = 16 << 20

// Bounds of uploads of devices.
const (
	maxUploads   = 4                  // open ones of a deployment
	uploadLife   = 7 * 24 * time.Hour // without a new piece
	commitWait   = 20 * time.Second   // then the device asks again
	uploadFormat = 1
)

// deviceUploads are files in a folder: what was kept survives a restart.
type deviceUploads struct {
	dir string

	mu      sync.Mutex
	busy    map[string]*sync.Mutex // by upload
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

// lock serialises what is done with one upload.
func (d *deviceUploads) lock(id string) (unlock func()) {
	d.mu.Lock()
	if d.busy == nil {
		d.busy, d.commits = map[string]*sync.Mutex{}, map[string]string{}
	}
	one := d.busy[id]
	if one == nil {
		one = &sync.Mutex{}
		d.busy[id] = one
	}
	d.mu.Unlock()
	one.Lock()
	return one.Unlock
}

// uploadID derives the id from the deployment and its key, so that the same call
// finds the same upload.
func uploadID(deployment, key string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("slipway upload\x00"+deployment+"\x00"+key)).String()
}

// Begin begins a device's upload or finds the one of that key again.
func (s *Service) Begin(_ context.Context, deployment string, in wire.ContentUpload) (wire.UploadState, error) {
	if err := s.checkUpload(in); err != nil {
		return wire.UploadState{}, err
	}
	id := uploadID(deployment, in.Key)
	defer s.uploads.lock(id)()
	if _, err := os.Stat(s.uploads.info(id)); err == nil {
		return s.uploads.state(id)
	}
	if err := s.uploads.open(deployment); err != nil {
		return wire.UploadState{}, err
	}
	if err := s.blobs.room(0); err != nil {
		return wire.UploadState{}, err
	}
	r := uploadRecord{Format: uploadFormat, Deployment: deployment, Item: in.Item, Name: in.Name, Description: in.Description, Purpose: in.Purpose, File: in.File, At: s.o.Now().UTC()}
	if err := s.uploads.begin(id, r); err != nil {
		return wire.UploadState{}, fmt.Errorf("begin an upload: %w", full(err))
	}
	return wire.UploadState{Upload: id}, nil
}

func (s *Service) checkUpload(in wire.ContentUpload) error {
	if in.Key == "" || len(in.Key) > 256 {
		return invalid("key: 1 to 256 bytes")
	}
	if err := wire.CheckContentPath(in.File); err != nil || strings.Contains(in.File, "/") {
		return invalid("file: %.80q is not the name of a file", in.File)
	}
	return s.o.Store.View(func(tx *state.Tx) error {
		_, err := s.itemFor(tx, Import{Name: cmp.Or(in.Item, in.Name), Description: in.Description, Purpose: in.Purpose})
		if in.Item != "" && err == nil {
			_, err = tx.ContentItems().Get(in.Item)
			err = missing(err)
		}
		return err
	})
}

// open refuses more uploads of a deployment than make sense.
func (d *deviceUploads) open(deployment string) error {
	all, err := d.list()
	if err != nil {
		return err
	}
	count := 0
	for _, r := range all {
		if r.Deployment == deployment {
			count++
		}
	}
	if count >= maxUploads {
		return fmt.Errorf("%w: the deployment has %d unfinished uploads", ErrBusy, count)
	}
	return nil
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
	return writeSynced(d.info(id), text)
}

// writeSynced makes a small file whole or not at all.
func writeSynced(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

func (d *deviceUploads) state(id string) (wire.UploadState, error) {
	info, err := os.Stat(d.data(id))
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

// UploadState says how much is kept of a deployment's upload.
func (s *Service) UploadState(deployment, id string) (wire.UploadState, error) {
	defer s.uploads.lock(id)()
	if _, err := s.uploads.own(deployment, id); err != nil {
		return wire.UploadState{}, err
	}
	return s.uploads.state(id)
}

// Append keeps a piece at an offset, on disk before it answers. What was kept from
// there on is replaced; a gap is ErrOffset.
func (s *Service) Append(_ context.Context, deployment, id string, offset int64, body io.Reader) (wire.UploadState, error) {
	data, err := io.ReadAll(io.LimitReader(body, MaxPiece+1))
	if err != nil {
		return wire.UploadState{}, fmt.Errorf("%w: the piece did not arrive whole: %w", ErrOffset, err)
	}
	if len(data) > MaxPiece {
		return wire.UploadState{}, fmt.Errorf("%w: a piece has at most %d bytes", ErrTooLarge, MaxPiece)
	}
	defer s.uploads.lock(id)()
	if _, err := s.uploads.own(deployment, id); err != nil {
		return wire.UploadState{}, err
	}
	if offset+int64(len(data)) > s.o.MaxSize {
		return wire.UploadState{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, s.o.MaxSize)
	}
	if err := s.blobs.room(int64(len(data))); err != nil {
		return wire.UploadState{}, err
	}
	if err := appendAt(s.uploads.data(id), offset, data); err != nil {
		return wire.UploadState{}, full(err)
	}
	return s.uploads.state(id)
}

func appendAt(path string, offset int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < offset:
		err = fmt.Errorf("%w: %d bytes are kept, the piece begins at %d", ErrOffset, info.Size(), offset)
	default:
		if err = f.Truncate(offset); err == nil {
			_, err = f.WriteAt(data, offset)
		}
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			err = errors.Join(err, f.Truncate(offset)) // nothing half-written
		}
	}
	return errors.Join(err, f.Close())
}

// Drop removes a deployment's upload.
func (s *Service) Drop(deployment, id string) error {
	defer s.uploads.lock(id)()
	if _, err := s.uploads.own(deployment, id); err != nil {
		return err
	}
	return s.uploads.remove(id)
}

func (d *deviceUploads) remove(id string) error {
	err := os.Remove(d.info(id))
	if e := os.Remove(d.data(id)); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, id)
	delete(d.commits, id)
	return err
}

// Commit makes a version of what a device uploaded. It is In Development: an
// administrator looks at it before it is taken by itself. Called again it answers the
// same version; ErrBusy asks to call again, the work goes on.
func (s *Service) Commit(ctx context.Context, by Actor, deployment, id string, want wire.UploadCommit) (wire.ContentVersion, error) {
	if v, ok, err := s.committed(id); ok || err != nil {
		return v, err
	}
	job, err := s.commitJob(by, deployment, id, want)
	if err != nil {
		return wire.ContentVersion{}, err
	}
	wait, stop := context.WithTimeout(ctx, commitWait)
	defer stop()
	if _, err := s.Wait(wait, job); err != nil {
		if wait.Err() != nil {
			return wire.ContentVersion{}, fmt.Errorf("%w: the upload is being checked", ErrBusy)
		}
		return wire.ContentVersion{}, err
	}
	v, ok, err := s.committed(id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no upload %q", ErrNotFound, id)
	}
	return v, err
}

// committed finds the version that an upload became.
func (s *Service) committed(id string) (out wire.ContentVersion, ok bool, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		for v := range tx.ContentVersions().ByKey(id) {
			ok = true
			out, err = pinned(tx, v.Reference())
			return err
		}
		return nil
	})
	return out, ok, err
}

// commitJob begins the work, or finds it under way.
func (s *Service) commitJob(by Actor, deployment, id string, want wire.UploadCommit) (string, error) {
	defer s.uploads.lock(id)()
	r, err := s.uploads.own(deployment, id)
	if err != nil {
		return "", err
	}
	s.uploads.mu.Lock()
	known := s.uploads.commits[id]
	s.uploads.mu.Unlock()
	if j, err := s.Job(known); err == nil && j.Status == JobRunning {
		return known, nil
	}
	now, err := s.uploads.state(id)
	if err != nil {
		return "", err
	}
	if now.Offset != want.Size {
		return "", fmt.Errorf("%w: %d bytes are kept, not %d", ErrOffset, now.Offset, want.Size)
	}
	in := Import{Name: cmp.Or(r.Item, r.Name), Description: r.Description, Purpose: r.Purpose, Status: fleet.ContentInDevelopment, Kind: KindFile, key: id,
		captured: &source{path: s.uploads.data(id), name: r.File, mode: 0o644, size: want.Size, own: true, want: want.SHA256}}
	j, err := s.start(kindImport, r.Name, by, func(ctx context.Context, job *running) error {
		defer s.uploads.lock(id)()
		if _, err := s.take(ctx, by, in, job); err != nil {
			return err
		}
		return s.uploads.remove(id)
	})
	if err != nil {
		return "", err
	}
	s.uploads.mu.Lock()
	s.uploads.commits[id] = j.ID
	s.uploads.mu.Unlock()
	return j.ID, nil
}

// sweepUploads removes uploads whose deployment is over, or that nobody went on with.
func (s *Service) sweepUploads(context.Context) error {
	all, err := s.uploads.list()
	if err != nil {
		return err
	}
	var errs []error
	for id, r := range all {
		over := false
		err := s.o.Store.View(func(tx *state.Tx) error {
			d, err := tx.Deployments().Get(r.Deployment)
			over = errors.Is(err, state.ErrNotFound) || err == nil && d.Status.Final()
			return nil
		})
		info, statErr := os.Stat(s.uploads.data(id))
		old := statErr == nil && s.o.Now().Sub(info.ModTime()) > uploadLife
		if err == nil && (over || old) {
			unlock := s.uploads.lock(id)
			errs = append(errs, s.uploads.remove(id))
			unlock()
		}
	}
	return errors.Join(errs...)
}

// hashed compares a file with the hash it must have.
func (k *intake) hashed(ctx context.Context, f source) error {
	if f.want == "" {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	k.job.stage(stageRead, f.size)
	h := newHasher()
	if err := copyTo(ctx, h, file, k.s.o.MaxSize, k.job.add); err != nil {
		return err
	}
	return f.check(h.sum())
}

// check says that a file has another hash than it must have.
func (f source) check(got sum) error {
	if f.want != "" && got.SHA256 != f.want {
		return invalid("sha256: what arrived has the hash %s, not %s", got.SHA256, f.want)
	}
	return nil
}
