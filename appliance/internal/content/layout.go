package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// linked is the size in bytes from which on a file is laid out as a link to its blob
// instead of a copy that is compared with its hashes.
const linked = 64 << 20

// Resolve finds a version of an item, which is given by id or name; number 0 is the
// newest active one. Errors: ErrNotFound, ErrInvalid.
func (s *Service) Resolve(name string, number int) (ref tasksequence.Reference, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		item, err := itemIn(tx, name)
		if err != nil {
			return err
		}
		v, err := usable(tx, item, number, "")
		ref = tasksequence.Reference{ID: item.ID, Version: v.Version}
		if err != nil {
			return fmt.Errorf("%w: content %w", ErrInvalid, err)
		}
		return nil
	})
	return ref, err
}

// LayOut puts the files of a version below dir, which exists, for a tool of the
// appliance that only reads them: as they were given, not what was made of them for
// devices. Large ones are links to what is kept, where the file system lets them be.
func (s *Service) LayOut(ctx context.Context, ref tasksequence.Reference, dir string) error {
	_, v, err := s.Version(ref.ID, ref.Version)
	if err != nil {
		return err
	}
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		return s.noteDamage(v, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range m.Files {
		if f.Original != "" && m.has(f.Original) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := wire.CheckContentPath(f.Path); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err := root.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
			return err
		}
		if f.Size >= linked && os.Link(s.blobs.path(f.SHA256), filepath.Join(dir, f.Path)) == nil {
			continue
		}
		if err := s.copyOut(v.Item, v.Version, f, root); err != nil {
			return fmt.Errorf("content %s, %s: %w", ref, f.Path, err)
		}
	}
	return nil
}

func (m manifest) has(path string) bool {
	for _, f := range m.Files {
		if f.Path == path {
			return true
		}
	}
	return false
}

func (s *Service) copyOut(item string, version int, f manifestFile, root *os.Root) error {
	in, err := s.Open(item, version, f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(f.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
