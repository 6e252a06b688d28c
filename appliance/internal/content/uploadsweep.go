package content

import (
	"context"
	"errors"
	"os"
	"time"

	"slipway/appliance/internal/state"
)

// uploadLife is how long an upload stays without a new piece.
const uploadLife = 7 * 24 * time.Hour

// sweepUploads removes uploads whose deployment is over, or that nobody went on with.
func (s *Service) sweepUploads(context.Context) error {
	all, err := s.uploads.list()
	if err != nil {
		return err
	}
	var errs []error
	for id, r := range all {
		over := false
		err := s.o.Store.View(func(tx *state.Tx) error {
			d, err := tx.Deployments().Get(r.Deployment)
			over = errors.Is(err, state.ErrNotFound) || err == nil && d.Status.Final()
			return nil
		})
		info, statErr := os.Stat(s.uploads.data(id))
		old := statErr == nil && s.o.Now().Sub(info.ModTime()) > uploadLife
		if err == nil && (over || old) {
			unlock := s.uploads.lock(id)
			errs = append(errs, s.uploads.remove(id))
			unlock()
		}
	}
	return errors.Join(errs...)
}
