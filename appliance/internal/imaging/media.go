package imaging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// maxMedia bounds the records of media; the oldest go first.
const maxMedia = 1000

// ErrNoImage: there is no Linux image that a medium could be made of.
var ErrNoImage = errors.New("no boot image is served: build one first (slipway image build linux)")

// MakeMedium makes a medium of an image ("" for the one that x64 devices get) and
// records it. The caller removes its file.
func (s *Service) MakeMedium(ctx context.Context, by Actor, id string, o bootimages.MediaOptions) (m bootimages.MadeMedium, err error) {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return m, err
	}
	defer release()
	image, err := s.whole(id)
	if err != nil {
		return m, err
	}
	if m, err = s.c.Builder.MakeMedium(ctx, image, o); err != nil {
		s.audit(context.WithoutCancel(ctx), fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "medium.made", Object: image.ID, Outcome: "error", Reason: err.Error()})
		return m, err
	}
	m.MadeAt, m.MadeBy = s.c.Now().UTC(), by.Name
	if err := s.c.Store.Update(ctx, func(tx *state.Tx) error { return recordMedium(tx, m.Medium) }); err != nil {
		return m, errors.Join(err, m.Remove())
	}
	s.audit(context.WithoutCancel(ctx), fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "medium.made", Object: m.ID, Outcome: "ok",
		Reason: fmt.Sprintf("%s of image %s", o.Kind, image.ID)})
	return m, nil
}

func recordMedium(tx *state.Tx, m fleet.Medium) error {
	if err := tx.Media().Put(m); err != nil {
		return err
	}
	all := slices.SortedFunc(tx.Media().All(), oldest)
	for _, old := range all[:max(0, len(all)-maxMedia)] {
		if err := tx.Media().Delete(old.ID); err != nil {
			return err
		}
	}
	return nil
}

func oldest(a, b fleet.Medium) int {
	return cmp.Or(a.MadeAt.Compare(b.MadeAt), cmp.Compare(a.ID, b.ID))
}

// Media lists what was made, newest first.
func (s *Service) Media() (out []fleet.Medium, err error) {
	err = s.c.Store.View(func(tx *state.Tx) error {
		out = slices.SortedFunc(tx.Media().All(), func(a, b fleet.Medium) int { return oldest(b, a) })
		return nil
	})
	return out, err
}

// ForgetMedium removes the record of a medium that is no longer out there.
func (s *Service) ForgetMedium(ctx context.Context, by Actor, id string) error {
	err := s.c.Store.Update(ctx, func(tx *state.Tx) error {
		if _, err := tx.Media().Get(id); err != nil {
			return err
		}
		return tx.Media().Delete(id)
	})
	if err == nil {
		s.audit(context.WithoutCancel(ctx), fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "medium.forgotten", Object: id, Outcome: "ok"})
	}
	return err
}

// Export writes an image for foreign servers; see bootimages.Builder. It reads the
// files before it writes, so that only the connection can fail midway.
func (s *Service) Export(ctx context.Context, by Actor, id string, o bootimages.ExportOptions, w io.Writer) error {
	release, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	image, err := s.whole(id)
	if err != nil {
		return err
	}
	o.Installation, o.Version = s.c.Installation(), s.c.AgentVersion
	err = s.c.Builder.Export(ctx, w, image, o)
	e := fleet.AuditEntry{Actor: by.Name, Address: by.Address, Action: "image.exported", Object: image.ID, Outcome: "ok"}
	if err != nil {
		e.Outcome, e.Reason = "error", err.Error()
	}
	s.audit(context.WithoutCancel(ctx), e)
	return err
}

// whole returns an image that is recorded and not damaged.
func (s *Service) whole(id string) (fleet.BootImage, error) {
	if id == "" {
		image, ok := s.Current(bootimages.X64)
		if !ok {
			return image, ErrNoImage
		}
		return image, nil
	}
	image, err := s.Get(id)
	if err != nil {
		return image, err
	}
	if why := s.Damaged(id); why != "" {
		return image, fmt.Errorf("%w: the files of image %s are missing or changed; build it again", bootimages.ErrCorrupt, id)
	}
	return image, nil
}
