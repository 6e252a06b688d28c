package content

import (
	"context"
	"errors"
	"fmt"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Damage is a file at rest that is not what its manifest says.
type Damage struct {
	Item    string `json:"item"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Path    string `json:"path,omitempty"` // empty: the manifest itself
	Detail  string `json:"detail"`
}

// Verify begins to read everything at rest again, of one item or of all (empty), and
// of one version or of all (0). The job tells the damage.
func (s *Service) Verify(_ context.Context, by Actor, name string, version int) (Job, error) {
	type one struct {
		item fleet.ContentItem
		v    fleet.ContentVersion
	}
	var list []one
	total := int64(0)
	err := s.o.Store.View(func(tx *state.Tx) error {
		wanted := ""
		if name != "" {
			item, err := itemIn(tx, name)
			if err != nil {
				return err
			}
			wanted = item.ID
		}
		for v := range tx.ContentVersions().All() {
			if wanted != "" && (v.Item != wanted || version != 0 && v.Version != version) {
				continue
			}
			item, err := tx.ContentItems().Get(v.Item)
			if err != nil {
				return missing(err)
			}
			list = append(list, one{item, v})
			total += v.Size
		}
		if len(list) == 0 && version != 0 {
			return fmt.Errorf("%w: no version %d of %q", ErrNotFound, version, name)
		}
		return nil
	})
	if err != nil {
		return Job{}, err
	}
	return s.start(kindVerify, name, by, func(ctx context.Context, r *running) error {
		r.stage(stageVerify, total)
		seen := map[string]error{} // by blob: many versions may share it
		bad := 0
		for _, x := range list {
			found, err := s.verifyVersion(ctx, r, x.item, x.v, seen)
			if err != nil {
				return err
			}
			bad += found
		}
		s.audit(ctx, by, "content.verified", name, fmt.Sprintf("%d versions, %d damaged files", len(list), bad))
		if bad > 0 {
			return fmt.Errorf("%w: %d files in all", ErrDamaged, bad)
		}
		return nil
	})
}

func (s *Service) verifyVersion(ctx context.Context, r *running, item fleet.ContentItem, v fleet.ContentVersion, seen map[string]error) (bad int, err error) {
	note := func(path string, err error) {
		bad++
		_ = s.noteDamage(v, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.job.Damage) < maxDamage {
			r.job.Damage = append(r.job.Damage, Damage{Item: item.ID, Name: item.Name, Version: v.Version, Path: path, Detail: err.Error()})
		}
	}
	m, err := s.blobs.readManifest(v.Manifest)
	if err != nil {
		note("", err)
		return bad, nil
	}
	for _, f := range m.Files {
		damage, ok := seen[f.SHA256]
		if !ok {
			if damage, err = s.verifyFile(ctx, r, f); err != nil {
				return bad, err
			}
			seen[f.SHA256] = damage
		}
		if damage != nil {
			note(f.Path, damage)
		}
	}
	return bad, nil
}

// verifyFile reads a blob whole. The second error ends the verification.
func (s *Service) verifyFile(ctx context.Context, r *running, f manifestFile) (damage, err error) {
	file, err := s.blobs.open(f.SHA256)
	if errors.Is(err, ErrDamaged) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := newHasher()
	if err := copyTo(ctx, h, file, wire.MaxContentSize, r.add); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return fmt.Errorf("%w: it cannot be read: %w", ErrDamaged, err), nil
	}
	if got := h.sum(); got.SHA256 != f.SHA256 || got.Size != f.Size {
		return fmt.Errorf("%w (its %d bytes have another hash)", ErrDamaged, got.Size), nil
	}
	return nil, nil
}
