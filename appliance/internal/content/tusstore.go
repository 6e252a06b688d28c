package content

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"

	"slipway/agent/wire"
)

// tusError makes a full disk the answer that says so.
func tusError(err error) error {
	if errors.Is(full(err), ErrFull) {
		return handler.NewError("ERR_FULL", "The appliance's disk is full: free some space in its data folder; the upload can go on then.", http.StatusInsufficientStorage)
	}
	return err
}

// tusStore is the file store, with an eye on the disk and synced pieces.
type tusStore struct {
	filestore.FileStore
	s *Service
}

// NewUpload implements handler.DataStore. What cannot be begun leaves no file.
func (t tusStore) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	info.ID = hex.EncodeToString(id)
	u, err := t.FileStore.NewUpload(ctx, info)
	if err != nil {
		data := filepath.Join(t.s.tusDir(), info.ID)
		_, _ = os.Remove(data), os.Remove(data+".info")
		return nil, tusError(err)
	}
	return tusUpload{u, t.s}, nil
}

// GetUpload implements handler.DataStore.
func (t tusStore) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	u, err := t.FileStore.GetUpload(ctx, id)
	if err != nil {
		return nil, err
	}
	return tusUpload{u, t.s}, nil
}

// AsTerminatableUpload implements handler.TerminaterDataStore.
func (t tusStore) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return t.FileStore.AsTerminatableUpload(u.(tusUpload).Upload)
}

type tusUpload struct {
	handler.Upload
	s *Service
}

// WriteChunk implements handler.Upload. What was written counts once the disk has it:
// a disk that runs full only when the bytes leave the memory (thin provisioning, a file
// system over the network) takes the whole piece back.
func (u tusUpload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	info, err := u.GetInfo(ctx)
	if err != nil {
		return 0, err
	}
	n, err := u.Upload.WriteChunk(ctx, offset, &roomReader{r: src, room: u.s.blobs.room})
	if e := keep(filepath.Join(u.s.tusDir(), info.ID), offset); e != nil {
		n, err = 0, cmp.Or(err, e)
	}
	if err = tusError(err); err != nil {
		// The answer is heard by clients that send their piece before they listen.
		_, _ = io.CopyN(io.Discard, src, MaxPiece)
	}
	return n, err
}

// keep syncs a file, and cuts it to before when that fails.
func keep(path string, before int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		err = errors.Join(err, f.Truncate(before))
	}
	return errors.Join(err, f.Close())
}

// roomReader ends with ErrFull when what it reads would not fit beside the reserve.
type roomReader struct {
	r    io.Reader
	room func(int64) error
	left int64 // bytes for which there was room
}

func (r *roomReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		if err := r.room(wire.ChunkSize); err != nil {
			return 0, err
		}
		r.left = wire.ChunkSize
	}
	n, err := r.r.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}
