package content

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// commitWait is how long a device waits for an answer; then it asks again.
const commitWait = 20 * time.Second

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
