package content

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tus/tusd/v2/pkg/memorylocker"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Store is what the service needs of the state.
type Store interface {
	View(fn func(tx *state.Tx) error) error
	Update(ctx context.Context, fn func(tx *state.Tx) error) error
}

// Auditor keeps the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Actor is who does something, for the audit log.
type Actor struct {
	Name    string // account, "local", the name of an API token, or "device"
	Address string
	Device  string // our id, when a device does it
}

// Options say what a service works with. Store, Dir and Audit are needed.
type Options struct {
	Store Store
	Dir   string // of its own, on the disk that holds the content
	Audit Auditor

	Logger  *slog.Logger
	Now     func() time.Time
	NewID   func() string
	Reserve int64 // bytes of the disk that content leaves free; default 64 MiB
	MaxSize int64 // bytes of one file; default 1 TiB
	Private bool  // files may be fetched from private and local addresses
}

// defaultReserve is what content leaves of the disk, in bytes.
const defaultReserve = 64 << 20

// Service keeps content items and their bytes. Safe for concurrent use.
type Service struct {
	o         Options
	blobs     *blobs
	manifests manifestCache
	proofs    proofs
	jobs      jobs
	uploads   deviceUploads
	locker    *memorylocker.MemoryLocker // of the uploads of people

	ctx  context.Context // of the jobs
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// New opens the folder. Close the service to end its jobs.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Dir == "" || o.Audit == nil {
		return nil, errors.New("content: store, folder and audit log are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Reserve == 0 {
		o.Reserve = defaultReserve
	}
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 40
	}
	locker := memorylocker.New()
	b, err := openBlobs(o.Dir, o.Reserve)
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, blobs: b, locker: locker, proofs: proofs{now: o.Now}}
	s.jobs.watchers.every = progressEvery
	s.uploads.dir = filepath.Join(o.Dir, "uploads")
	if err := s.uploads.clean(); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close ends all jobs and waits for them.
func (s *Service) Close() error {
	s.stop()
	s.wg.Wait()
	return nil
}

// collectEvery is how often what nothing names any more is removed.
const collectEvery = time.Hour

// Run removes what nothing names, now and then, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context) {
	if err := errors.Join(s.sweepUploads(ctx), s.sweepTus()); err != nil {
		s.o.Logger.WarnContext(ctx, "old uploads were not removed", "error", err)
	}
	freed, err := s.Collect()
	switch {
	case errors.Is(err, ErrBusy):
	case err != nil:
		s.o.Logger.WarnContext(ctx, "content that nothing names was not removed", "error", err)
	case freed > 0:
		s.o.Logger.InfoContext(ctx, "content that nothing names was removed", "bytes", freed)
	}
}

// Collect removes blobs that no version names and returns how many bytes became free.
func (s *Service) Collect() (freed int64, err error) {
	return s.blobs.collect(func() (map[string]bool, error) {
		used := map[string]bool{}
		versions, err := s.versions()
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if used[v.Manifest] {
				continue
			}
			used[v.Manifest] = true
			m, err := s.manifests.get(s.blobs, v.Manifest)
			if err != nil {
				// Without its manifest nobody knows what the version needs.
				return nil, fmt.Errorf("version %s: %w", v.Reference(), err)
			}
			for _, f := range m.Files {
				used[f.SHA256] = true
			}
		}
		return used, nil
	})
}

func (s *Service) versions() (all []fleet.ContentVersion, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		for v := range tx.ContentVersions().All() {
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

// Version returns the record of an item and of one of its versions.
func (s *Service) Version(item string, version int) (i fleet.ContentItem, v fleet.ContentVersion, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		if i, err = tx.ContentItems().Get(item); err == nil {
			v, err = tx.ContentVersions().Get(state.ContentVersionKey(item, version))
		}
		return missing(err)
	})
	return i, v, err
}

// Manifest says what a version holds.
func (s *Service) Manifest(item string, version int) (wire.ContentManifest, error) {
	i, v, err := s.Version(item, version)
	if err != nil {
		return wire.ContentManifest{}, err
	}
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		return wire.ContentManifest{}, s.noteDamage(v, err)
	}
	return wire.ContentManifest{Item: i.ID, Version: v.Version, Name: i.Name, Purpose: i.Purpose, Size: v.Size, Command: v.Command,
		Manufacturer: i.Manufacturer, Models: i.Models, Files: m.wire()}, nil
}

// Open opens a file of a version.
func (s *Service) Open(item string, version int, path string) (*File, error) {
	_, v, err := s.Version(item, version)
	if err != nil {
		return nil, err
	}
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		return nil, s.noteDamage(v, err)
	}
	i, ok := m.byPath[path]
	if !ok {
		return nil, fmt.Errorf("%w: version %s has no file %q", ErrNotFound, v.Reference(), path)
	}
	return s.openFile(v, m.Files[i])
}

func (s *Service) openFile(v fleet.ContentVersion, f manifestFile) (*File, error) {
	file, err := s.blobs.open(f.SHA256)
	if err != nil {
		return nil, s.noteDamage(v, err)
	}
	proof, err := s.proofs.of(f.SHA256, file)
	if err == nil && proof.info.Size() != f.Size {
		err = s.noteDamage(v, fmt.Errorf("%w (%q has %d bytes, not %d)", ErrDamaged, f.Path, proof.info.Size(), f.Size))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &File{manifestFile: f, ModTime: v.CreatedAt, file: file, proofs: &s.proofs, proof: proof}, nil
}

// NoteDamage logs damage that was found while a version was handed out.
func (s *Service) NoteDamage(item string, version int, err error) {
	_ = s.noteDamage(fleet.ContentVersion{Item: item, Version: version}, err)
}

func (s *Service) noteDamage(v fleet.ContentVersion, err error) error {
	if errors.Is(err, ErrDamaged) {
		s.o.Logger.Error("content at rest is damaged", "version", v.Reference(), "error", err)
	}
	return err
}

func (s *Service) audit(ctx context.Context, by Actor, action, object, reason string) {
	e := fleet.AuditEntry{Actor: by.Name, Action: action, Object: object, Device: by.Device, Address: by.Address, Outcome: "ok", Reason: reason}
	if err := s.o.Audit.Write(context.WithoutCancel(ctx), e); err != nil {
		s.o.Logger.ErrorContext(ctx, "audit entry was not written", "action", action, "object", object, "error", err)
	}
}

// missing turns the state's error for a missing record into ours.
func missing(err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return ErrNotFound
	}
	return err
}
