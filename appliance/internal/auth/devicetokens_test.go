package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

func TestDeviceTokensAreListedAndRevoked(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	first, caller := b.deviceToken(t, "a", strings.Repeat("a1", 32))
	b.clock.add(time.Minute)
	second, other := b.deviceToken(t, "b", "")
	b.bind(t, second, "d")
	_, made, err := b.AddToken(t.Context(), anna, "script", fleet.RoleViewer, 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := b.ListDeviceTokens(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	k := list[0]
	if k.DeviceID != "device-b" || k.Deployment != "d" || k.Actor != "passcode" || k.Mechanism != fleet.MechanismPasscode ||
		k.Hash+list[1].Hash != "" || k.ID == "" || k.CreatedAt.IsZero() || k.ExpiresAt.IsZero() {
		t.Errorf("%+v", k)
	}
	wants(t, b.RevokeDeviceToken(t.Context(), anna, made.ID), ErrNotFound) // a script's
	wants(t, b.RevokeDeviceToken(t.Context(), anna, ""), ErrNotFound)
	wants(t, b.RevokeDeviceToken(t.Context(), anna, k.ID), nil)
	wants(t, b.RevokeDeviceToken(t.Context(), anna, k.ID), ErrNotFound)
	_, err = b.Authenticate(t.Context(), second, other)
	wants(t, err, ErrNoToken)
	_, _, err = b.Renew(t.Context(), second, other)
	wants(t, err, ErrNoToken)
	if _, err := b.Authenticate(t.Context(), first, caller); err != nil {
		t.Error(err)
	}
	if e := b.trail.wants(t, "token.revoked:ok:of passcode"); e.Device != "device-b" || e.Object != k.ID || e.Actor != "anna" {
		t.Errorf("audit %+v", e)
	}
	b.clock.add(deviceTokenLife)
	if list, err := b.ListDeviceTokens(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("expired ones are listed: %s, %v", fmt.Sprint(list), err)
	}
}
