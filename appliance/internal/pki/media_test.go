package pki

import (
	"errors"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Media that trust the old authority alone are listed from the rotation on, and hold
// nothing up: what became of them nobody knows.
func TestStatusListsMediaOnTheOldAuthority(t *testing.T) {
	s := newSite(t)
	old := s.status().Authorities[0].Fingerprint
	put := func(m fleet.Medium) error {
		return s.store.Update(t.Context(), func(tx *state.Tx) error { return tx.Media().Put(m) })
	}
	if err := put(fleet.Medium{ID: "stick", Kind: "usb", Image: "image", CASet: []string{old}, MadeBy: "anna"}); err != nil {
		t.Fatal(err)
	}
	if got := s.status().Media; got == nil || len(got) != 0 {
		t.Errorf("before a rotation: %+v", got)
	}
	if _, err := s.rotation.Rotate(t.Context(), by); err != nil {
		t.Fatal(err)
	}
	status := s.status()
	if err := put(fleet.Medium{ID: "new", CASet: []string{old, status.Authorities[1].Fingerprint}}); err != nil {
		t.Fatal(err)
	}
	status = s.status()
	if len(status.Media) != 1 || status.Media[0].Medium != "stick" || status.Media[0].Name != "anna" || len(status.Blocked) != 0 {
		t.Errorf("%+v", status)
	}
	if err := errors.Join(s.rotation.ChangeOver(t.Context(), by, false), s.rotation.Retire(t.Context(), by, false)); err != nil {
		t.Fatal(err)
	}
	if got := s.status().Media; len(got) != 1 || got[0].Medium != "stick" {
		t.Errorf("after it: %+v", got)
	}
}
