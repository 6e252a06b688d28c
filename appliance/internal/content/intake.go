package content

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// The kinds of versions.
const (
	KindFile   = "file"
	KindFolder = "folder"
)

// intake is one import at work.
type intake struct {
	s     *Service
	in    Import
	job   *running
	hold  *hold
	files []manifestFile
	notes []string
	own   []string // files that are removed at the end
	spent []string // files that are removed when all went well
}

// take makes the version.
func (s *Service) take(ctx context.Context, by Actor, in Import, r *running) (fleet.ContentVersion, error) {
	k := &intake{s: s, in: in, job: r, hold: s.blobs.hold()}
	defer k.hold.release()
	defer k.clean()
	source, err := k.gather(ctx)
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	slices.SortFunc(k.files, func(a, b manifestFile) int { return cmp.Compare(a.Path, b.Path) })
	m := manifest{Files: k.files}
	hash, err := s.blobs.putManifest(ctx, m, k.hold)
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	v := fleet.ContentVersion{Status: in.Status, Kind: cmp.Or(k.in.Kind, KindFile), Command: in.Command, Manifest: hash, Files: len(m.Files), Size: m.size(),
		Source: source, Notes: strings.Join(k.notes, "\n"), Key: in.key, CreatedAt: s.o.Now(), CreatedBy: by.Name}
	v, err = s.record(ctx, by, in, v)
	if err == nil {
		k.own = append(k.own, k.spent...)
	}
	return v, err
}

func (k *intake) clean() {
	for _, path := range k.own {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.s.o.Logger.Warn("a temporary file was not removed", "error", err)
		}
	}
}

// record gives the version its number.
func (s *Service) record(ctx context.Context, by Actor, in Import, v fleet.ContentVersion) (fleet.ContentVersion, error) {
	var item fleet.ContentItem
	made := false
	err := s.o.Store.Update(ctx, func(tx *state.Tx) (err error) {
		made = false
		for old := range tx.ContentVersions().ByKey(in.key) {
			v = old
			item, err = tx.ContentItems().Get(old.Item)
			return err
		}
		if item, err = s.itemFor(tx, in); err != nil {
			return err
		}
		v.Item, v.Version = item.ID, 1
		for old := range tx.ContentVersions().ByItem(item.ID) {
			v.Version = max(v.Version, old.Version+1)
		}
		made = true
		return errors.Join(putItem(tx, item), tx.ContentVersions().Put(v))
	})
	if err == nil && made {
		s.audit(ctx, by, "content.added", v.Reference(), fmt.Sprintf("%s (%s)", item.Name, item.Purpose))
	}
	return v, err
}

// gather brings the files into blobs and says where they came from.
func (k *intake) gather(ctx context.Context) (source string, err error) {
	switch {
	case k.in.captured != nil:
		return "captured by a device", k.file(ctx, *k.in.captured)
	case k.in.Path != "":
		return k.in.Path, k.fromPath(ctx)
	case k.in.URL != "":
		return k.in.URL, k.fromURL(ctx)
	}
	return "upload", k.fromUploads(ctx)
}

// source is a file that is taken in. One of our own folder is not copied.
type source struct {
	path string
	name string // in the version
	mode fs.FileMode
	size int64
	own  bool
	want string // hash it must have; empty: any
}

// file takes in the one file of a version, converted where that helps.
func (k *intake) file(ctx context.Context, f source) error {
	if err := wire.CheckContentPath(f.name); err != nil {
		return invalid("%v", err)
	}
	c, err := k.converter(f)
	if err != nil {
		return err
	}
	if c != nil {
		if err := k.hashed(ctx, f); err != nil {
			return err
		}
		keep, err := c(ctx, f)
		if err != nil {
			return err
		}
		if !keep {
			if f.own {
				k.spent = append(k.spent, f.path)
			}
			return nil
		}
	}
	k.job.stage(stageRead, f.size)
	return k.plain(ctx, f)
}

// plain takes in a file as it is.
func (k *intake) plain(ctx context.Context, f source) (err error) {
	var got sum
	if f.own {
		got, err = k.s.blobs.adopt(ctx, f, k.hold, k.job.add)
		k.spent = append(k.spent, f.path)
	} else {
		got, err = k.copyIn(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path.Base(f.name), err)
	}
	k.files = append(k.files, manifestFile{Path: f.name, Mode: int(f.mode.Perm()), Size: got.Size, SHA256: got.SHA256, Chunks: got.Chunks})
	return nil
}

func (k *intake) copyIn(ctx context.Context, f source) (sum, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return sum{}, invalid("%v", err)
	}
	defer file.Close()
	return k.s.blobs.write(ctx, file, k.s.o.MaxSize, k.hold, k.job.add)
}
