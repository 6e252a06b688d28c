package imaging

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// record stores a built image as the one that devices get from now on.
func (s *Service) record(image fleet.BootImage) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), recordTimeout)
	defer cancel()
	s.mu.Lock()
	delete(s.damaged, image.ID)
	s.mu.Unlock()
	var lost []string
	if before, err := s.Get(image.ID); err == nil {
		lost = s.lostSigned(before)
	}
	err := s.c.Store.Update(ctx, func(tx *state.Tx) error {
		if err := trusts(tx, image); err != nil {
			return err
		}
		image := image // a conflict runs this again
		image.Files, image.Served = slices.Clone(image.Files), true
		keepSigned(tx, &image, lost)
		if err := tx.Images().Put(image); err != nil {
			return err
		}
		return unserveOthers(tx, image)
	})
	if err == nil {
		s.noteLost(ctx, image.ID, lost)
	}
	return err
}

func unserveOthers(tx *state.Tx, image fleet.BootImage) error {
	for _, other := range slices.Collect(tx.Images().All()) {
		if other.ID == image.ID || !sameUse(other, image) || !other.Served {
			continue
		}
		other.Served = false
		if err := tx.Images().Put(other); err != nil {
			return err
		}
	}
	return nil
}

// sameUse reports whether one image takes the other's place.
func sameUse(a, b fleet.BootImage) bool { return a.Kind == b.Kind && a.Architecture == b.Architecture }

// List returns the recorded images, newest first.
func (s *Service) List() ([]fleet.BootImage, error) {
	var out []fleet.BootImage
	err := s.c.Store.View(func(tx *state.Tx) error {
		out = slices.Collect(tx.Images().All())
		return nil
	})
	slices.SortStableFunc(out, func(a, b fleet.BootImage) int { return b.BuiltAt.Compare(a.BuiltAt) })
	return out, err
}

// Get returns one image, or state.ErrNotFound.
func (s *Service) Get(id string) (fleet.BootImage, error) {
	var out fleet.BootImage
	err := s.c.Store.View(func(tx *state.Tx) (err error) {
		out, err = tx.Images().Get(id)
		return err
	})
	return out, err
}

// Current returns the Linux image that devices of an architecture boot.
func (s *Service) Current(arch string) (fleet.BootImage, bool) {
	return s.current(bootimages.KindLinux, arch)
}

// CurrentWinPE returns the Windows PE image that devices of an architecture boot.
func (s *Service) CurrentWinPE(arch string) (fleet.BootImage, bool) {
	return s.current(bootimages.KindWinPE, arch)
}

func (s *Service) current(kind, arch string) (fleet.BootImage, bool) {
	images, err := s.List()
	if err != nil {
		return fleet.BootImage{}, false
	}
	for _, i := range images {
		if i.Kind == kind && i.Architecture == arch && i.Served && s.Damaged(i.ID) == "" {
			return i, true
		}
	}
	return fleet.BootImage{}, false
}

// Damaged says what is wrong with a recorded image's files, or "".
func (s *Service) Damaged(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[id]
}

// reconcile compares records with files. A record whose files are missing or
// changed stays, for the console to show, but is not served; the newest whole
// image of the same use takes its place. A signed copy that is lost leaves its record
// alone: the image goes on unsigned. Files without a record are ignored: they are found
// again when the same image is built.
func (s *Service) reconcile(ctx context.Context) error {
	images, err := s.List()
	if err != nil {
		return err
	}
	for _, i := range images {
		if _, err := bootimages.Verify(filepath.Join(s.c.Builder.BootDir(), i.ID)); err != nil {
			s.markDamaged(ctx, i.ID, err)
		}
		if lost := s.lostSigned(i); len(lost) > 0 {
			// As for damage, the record can wait when the state is full.
			if err := s.forgetSigned(ctx, i.ID, lost); err != nil && !errors.Is(err, state.ErrFull) {
				return err
			}
		}
	}
	for _, i := range images {
		if i.Served && s.Damaged(i.ID) != "" {
			if err := s.replace(ctx, i, images); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) markDamaged(ctx context.Context, id string, err error) {
	s.mu.Lock()
	s.damaged[id] = err.Error()
	s.mu.Unlock()
	s.c.Logger.ErrorContext(ctx, "the files of a boot image are missing or changed; build it again", "image", id, "error", err)
}

// replace stops serving an image, and serves the newest whole one of the same use.
func (s *Service) replace(ctx context.Context, bad fleet.BootImage, images []fleet.BootImage) error {
	err := s.c.Store.Update(ctx, func(tx *state.Tx) error {
		b, err := tx.Images().Get(bad.ID)
		if err != nil {
			return err
		}
		b.Served = false
		if err := tx.Images().Put(b); err != nil {
			return err
		}
		for _, i := range images {
			if sameUse(i, bad) && s.Damaged(i.ID) == "" && trusts(tx, i) == nil {
				i.Served = true
				return tx.Images().Put(i)
			}
		}
		return nil
	})
	if errors.Is(err, state.ErrFull) {
		// Current and the files look at the damage themselves; the record can wait.
		s.c.Logger.WarnContext(ctx, "a damaged boot image is still recorded as served", "image", bad.ID, "error", err)
		return nil
	}
	return err
}

// idleAfter is how long a device that was last seen with an image, and has no
// deployment under way, still counts as using it.
const idleAfter = 7 * 24 * time.Hour

// keptMedia is of how many images, those of the newest media, the files stay for the
// machines that boot from these.
const keptMedia = 10

// Collect removes images that are neither served nor used, and returns their ids. A
// device uses the image it booted last while it has an unfinished deployment, or was
// seen within the last seven days. The images of the newest media are used too: a
// machine that boots from one fetches its tools here.
func (s *Service) Collect(ctx context.Context) ([]string, error) {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var removed []string
	now := s.c.Now()
	err = s.c.Store.Update(ctx, func(tx *state.Tx) error {
		removed = nil
		used := map[string]bool{}
		for d := range tx.Devices().All() {
			if d.Deployment != "" || now.Sub(d.LastSeen) < idleAfter {
				used[d.ImageID] = true
			}
		}
		media := map[string]bool{}
		for _, m := range slices.SortedFunc(tx.Media().All(), func(a, b fleet.Medium) int { return oldest(b, a) }) {
			if len(media) < keptMedia {
				media[m.Image], used[m.Image] = true, true
			}
		}
		for _, i := range slices.Collect(tx.Images().All()) {
			if i.Served || used[i.ID] {
				continue
			}
			if err := tx.Images().Delete(i.ID); err != nil {
				return err
			}
			removed = append(removed, i.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The records go first: files without a record are not served, the reverse
	// would be a promise that cannot be kept.
	var errs []error
	for _, id := range removed {
		errs = append(errs, s.c.Builder.Remove(id))
		s.audit(ctx, fleet.AuditEntry{Actor: "local", Action: "image.removed", Object: id, Outcome: "ok", Reason: "no device uses it"})
	}
	return removed, errors.Join(errs...)
}

func (s *Service) collectLoop() {
	t := time.NewTicker(s.c.CollectEvery)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
			s.collect()
		}
	}
}

func (s *Service) collect() {
	if _, err := s.Collect(s.ctx); err != nil && s.ctx.Err() == nil {
		s.c.Logger.Warn("unused boot images were not removed", "error", err)
	}
}
