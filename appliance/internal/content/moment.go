package content

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Blob is the name and the size of some bytes.
type Blob struct {
	SHA256 string // hex
	Size   int64
}

// Moment is the content of a moment: the bytes of all versions that there were. They
// stay until it is released, whatever is deleted meanwhile. What is added meanwhile is
// not in it.
type Moment struct {
	Blobs []Blob // by name
	Size  int64  // of all, in bytes

	s        *Service
	hold     *hold
	versions []fleet.ContentVersion
	names    map[string]string // of items, by id
}

// Freeze takes hold of the bytes that the records of a point of the state name. freeze
// makes the point; nothing is removed between it and the hold.
//
// Errors: ErrDamaged, which names the version, when bytes are missing or cut.
func (s *Service) Freeze(ctx context.Context, freeze func() (*state.Point, error)) (*Moment, error) {
	select {
	case s.blobs.collecting <- struct{}{}: // the end of a collection under way
		defer func() { <-s.blobs.collecting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	point, err := freeze()
	if err != nil {
		return nil, err
	}
	m := &Moment{s: s, hold: s.blobs.hold(), names: map[string]string{}}
	err = point.View(func(tx *state.Tx) error {
		for v := range tx.ContentVersions().All() {
			m.versions = append(m.versions, v)
		}
		for i := range tx.ContentItems().All() {
			m.names[i.ID] = i.Name
		}
		return nil
	})
	if err == nil {
		err = m.gather(ctx)
	}
	if err != nil {
		m.Release()
		return nil, err
	}
	return m, nil
}

// gather finds what the versions name, and holds it.
func (m *Moment) gather(ctx context.Context) error {
	sizes := map[string]int64{}
	for _, v := range m.versions {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := blobsOf(m.s.blobs, v)
		for _, b := range list {
			known, ok := sizes[b.SHA256]
			if !ok {
				known, err = m.s.blobs.size(b.SHA256)
				sizes[b.SHA256] = known
			}
			if err == nil && b.Size >= 0 && b.Size != known {
				err = fmt.Errorf("%w (%.12s has %d bytes, not %d)", ErrDamaged, b.SHA256, known, b.Size)
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			return m.of(v, err)
		}
	}
	m.s.blobs.mu.Lock()
	defer m.s.blobs.mu.Unlock()
	for hash, size := range sizes {
		m.hold.add(hash)
		m.Blobs = append(m.Blobs, Blob{hash, size})
		m.Size += size
	}
	slices.SortFunc(m.Blobs, func(a, b Blob) int { return strings.Compare(a.SHA256, b.SHA256) })
	return nil
}

// blobsOf lists what a version names: its manifest, whose size is in no record (-1),
// and its files.
func blobsOf(b *blobs, v fleet.ContentVersion) ([]Blob, error) {
	list := []Blob{{v.Manifest, -1}}
	if !blobName.MatchString(v.Manifest) {
		return nil, fmt.Errorf("%w (%.70q is no manifest)", ErrDamaged, v.Manifest)
	}
	m, err := b.readManifest(v.Manifest)
	for _, f := range m.Files {
		list = append(list, Blob{f.SHA256, f.Size})
	}
	return list, err
}

// of says which version an error is about.
func (m *Moment) of(v fleet.ContentVersion, err error) error {
	_ = m.s.noteDamage(v, err)
	return fmt.Errorf("content %q, version %d: %w", m.names[v.Item], v.Version, err)
}

// Write writes the bytes of a blob. Its error wraps ErrDamaged and names a version when
// they are not those of their name; all of them were written by then.
func (m *Moment) Write(ctx context.Context, b Blob, w io.Writer) error {
	err := m.write(ctx, b, w)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	for _, v := range m.versions {
		list, _ := blobsOf(m.s.blobs, v) // what can be read of it
		if slices.ContainsFunc(list, func(o Blob) bool { return o.SHA256 == b.SHA256 }) {
			return m.of(v, err)
		}
	}
	return err
}

func (m *Moment) write(ctx context.Context, b Blob, w io.Writer) error {
	file, err := m.s.blobs.open(b.SHA256)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if err := copyTo(ctx, io.MultiWriter(sum, w), io.LimitReader(file, b.Size), b.Size, nil); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != b.SHA256 {
		return fmt.Errorf("%w (%.12s)", ErrDamaged, b.SHA256)
	}
	return nil
}

// Release lets the bytes go. What nothing names any more goes with the next collection.
func (m *Moment) Release() { m.hold.release() }

// size is the size of a blob at rest.
func (b *blobs) size(hash string) (int64, error) {
	info, err := os.Stat(b.path(hash))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%w (the blob %.12s is missing)", ErrDamaged, hash)
	}
	if err != nil {
		return 0, fmt.Errorf("look at a blob: %w", err)
	}
	return info.Size(), nil
}

// Intake takes the bytes of a moment into a folder that no service uses.
type Intake struct{ blobs *blobs }

// NewIntake begins in a folder, which it makes.
func NewIntake(dir string) (*Intake, error) {
	b, err := openBlobs(dir, defaultReserve)
	if err != nil {
		return nil, err
	}
	return &Intake{b}, nil
}

// Room answers ErrFull unless so many bytes fit on the disk.
func (i *Intake) Room(size int64) error { return i.blobs.room(size) }

// Put keeps a blob, on disk before it answers. Errors: ErrDamaged when r gives other
// bytes, ErrFull.
func (i *Intake) Put(ctx context.Context, b Blob, r io.Reader) error {
	w, err := i.blobs.create()
	if err != nil {
		return err
	}
	defer w.abort()
	if err := copyTo(ctx, w, r, wire.MaxContentSize, nil); err != nil {
		return err
	}
	if got := w.hasher.sum(); got.SHA256 != b.SHA256 || got.Size != b.Size {
		return fmt.Errorf("%w (%.12s has another hash)", ErrDamaged, b.SHA256)
	}
	h := i.blobs.hold()
	defer h.release()
	_, err = w.commit(h)
	return err
}

// Check looks whether all is there that the records of a state name. The bytes were
// compared with their names when they came. The error wraps ErrDamaged.
func (i *Intake) Check(ctx context.Context, tx *state.Tx) error {
	for v := range tx.ContentVersions().All() {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := blobsOf(i.blobs, v)
		for n := 0; err == nil && n < len(list); n++ {
			var size int64
			size, err = i.blobs.size(list[n].SHA256)
			if err == nil && list[n].Size >= 0 && size != list[n].Size {
				err = fmt.Errorf("%w (%.12s has %d bytes, not %d)", ErrDamaged, list[n].SHA256, size, list[n].Size)
			}
		}
		if err != nil {
			return fmt.Errorf("content %s: %w", v.Reference(), err)
		}
	}
	return os.RemoveAll(filepath.Join(i.blobs.dir, "incoming"))
}
