package content

import (
	"context"
	"errors"
	"testing"

	"slipway/appliance/internal/state"
)

// The content of a moment is taken hold of when no collection is under way: between the
// point of the state and the hold nothing is removed. Who gives up waits no longer.
func TestAMomentWaitsForACollection(t *testing.T) {
	s := open(t)
	store := s.o.Store.(*state.Store)
	v := s.must(t, Import{Name: "Tools", Purpose: "other", Path: file(t, "tools.bin", random(3, 4096))})
	s.blobs.collecting <- struct{}{} // one is under way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := s.Freeze(ctx, func() (*state.Point, error) {
		t.Error("the state is frozen during a collection")
		return store.Freeze()
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", m, err)
	}
	<-s.blobs.collecting
	m, err := s.Freeze(t.Context(), store.Freeze)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if err := s.Delete(t.Context(), Actor{}, v.Item, 0); err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Collect(); err != nil || freed != 0 {
		t.Errorf("%d bytes of a moment that is held are gone, %v", freed, err)
	}
	m.Release()
	if freed, err := s.Collect(); err != nil || freed < 4096 {
		t.Errorf("%d bytes are gone after it, %v", freed, err)
	}
}
