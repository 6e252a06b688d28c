package content

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"slipway/agent/wire"
	"slipway/appliance/internal/durable"
	"slipway/appliance/internal/state"
)

// MaxPiece bounds one piece of a device's upload, in bytes: it is held in memory.
const MaxPiece = 16 << 20

// maxUploads is how many a deployment may have open.
const maxUploads = 4

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
	if err := s.unshare(s.uploads.data(id)); err != nil {
		return wire.UploadState{}, full(err)
	}
	if err := appendAt(s.uploads.data(id), offset, data); err != nil {
		return wire.UploadState{}, full(err)
	}
	return s.uploads.state(id)
}

func appendAt(path string, offset int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
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

// unshare makes a file that a commit made a blob of (blobs.adopt) writable again: a copy
// when the blob is still there.
func (s *Service) unshare(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Nlink < 2 {
		if info.Mode().Perm() == 0o600 {
			return nil
		}
		return os.Chmod(path, 0o600)
	}
	if err := s.blobs.room(info.Size()); err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Sync(), to.Close()); err == nil {
		err = os.Rename(to.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to.Name()))
	}
	return durable.Folder(filepath.Dir(path))
}

// Drop removes a deployment's upload.
func (s *Service) Drop(deployment, id string) error {
	defer s.uploads.lock(id)()
	if _, err := s.uploads.own(deployment, id); err != nil {
		return err
	}
	return s.uploads.remove(id)
}
