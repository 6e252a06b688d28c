package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// deviceToken signs in with a key.
func (b *bench) deviceToken(t *testing.T, serial, binding string) (string, Caller) {
	t.Helper()
	c := from("192.0.2.7")
	c.Binding = binding
	token, _, err := b.SignInPasscode(t.Context(), rightPasscode, "", machine(serial), c)
	if err != nil {
		t.Fatal(err)
	}
	return token, c
}

func TestTokenIsBoundToItsKey(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", strings.Repeat("a1", 32))
	for _, binding := range []string{"", strings.Repeat("b2", 32), strings.Repeat("a1", 31), strings.Repeat("A1", 32)} {
		thief := caller
		thief.Binding = binding
		_, err := b.Authenticate(t.Context(), token, thief)
		wants(t, err, ErrBinding)
		_, _, err = b.Renew(t.Context(), token, thief)
		wants(t, err, ErrBinding)
	}
	b.trail.wants(t, "token.refused:refused:bound to another key")
	if _, err := b.Authenticate(t.Context(), token, caller); err != nil {
		t.Error(err)
	}
	// A script without a key gets a plain token, which any connection may carry.
	plain, _ := b.deviceToken(t, "a", "")
	if _, err := b.Authenticate(t.Context(), plain, caller); err != nil {
		t.Error(err)
	}
}

func TestTokenValues(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	seen := map[string]bool{}
	for i := range 20 {
		token, caller := b.deviceToken(t, fmt.Sprint(i), "")
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, devicePrefix))
		if err != nil || len(raw) != 32 || seen[token] {
			t.Fatalf("token %q, %v", token, err)
		}
		seen[token] = true
		for _, wrong := range []string{"", token[:len(token)-1], token + "A", strings.ToLower(token), devicePrefix, " " + token} {
			_, err := b.Authenticate(t.Context(), wrong, caller)
			wants(t, err, ErrNoToken)
		}
	}
}

func TestTokenExpiresAndIsForgotten(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", "")
	b.clock.add(deviceTokenLife - time.Second)
	if _, err := b.Authenticate(t.Context(), token, caller); err != nil {
		t.Fatal(err)
	}
	b.clock.add(time.Second)
	_, err := b.Authenticate(t.Context(), token, caller)
	wants(t, err, ErrExpired)
	b.clock.add(expiredKept + time.Second)
	if err := b.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = b.Authenticate(t.Context(), token, caller)
	wants(t, err, ErrNoToken)
}

func (b *bench) putDeployment(t *testing.T, d fleet.Deployment) {
	t.Helper()
	if err := b.state.Update(t.Context(), func(tx *state.Tx) error { return tx.Deployments().Put(d) }); err != nil {
		t.Fatal(err)
	}
}

// bind does what the engine does when a deployment is started or resumed.
func (b *bench) bind(t *testing.T, token, deployment string) {
	t.Helper()
	b.changeToken(t, token, func(k *fleet.Token) { k.Deployment = deployment })
}

func (b *bench) changeToken(t *testing.T, token string, change func(*fleet.Token)) {
	t.Helper()
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		k, err := tx.Tokens().Get(hashOf(token))
		if err != nil {
			return err
		}
		change(&k)
		return tx.Tokens().Put(k)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRenewal(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", strings.Repeat("a1", 32))
	renew := func() error {
		_, _, err := b.Renew(t.Context(), token, caller)
		return err
	}
	wants(t, renew(), ErrNotAllowed) // nothing runs
	b.putDeployment(t, fleet.Deployment{ID: "other", DeviceID: "device-b", Status: fleet.DeploymentRunning})
	b.putDeployment(t, fleet.Deployment{ID: "d", DeviceID: "device-a", Status: fleet.DeploymentRunning})
	wants(t, renew(), ErrNotAllowed) // what runs is not its own
	for _, foreign := range []string{"other", "none"} {
		b.bind(t, token, foreign)
		wants(t, renew(), ErrNotAllowed)
	}
	b.bind(t, token, "d")
	start := b.clock.now()
	for b.clock.now().Sub(start) < deviceTokenBound-2*time.Hour {
		b.clock.add(2 * time.Hour)
		same, expires, err := b.Renew(t.Context(), token, caller)
		if err != nil || same != token {
			t.Fatalf("after %v: %v", b.clock.now().Sub(start), err)
		}
		if expires.After(start.Add(deviceTokenBound)) {
			t.Fatalf("good until %v after sign-in", expires.Sub(start))
		}
	}
	b.clock.add(2 * time.Hour)
	wants(t, renew(), ErrExpired)

	token, caller = b.deviceToken(t, "a", "")
	b.bind(t, token, "d")
	wants(t, renew(), nil)
	b.changeToken(t, token, func(k *fleet.Token) { k.Ended = true })
	wants(t, renew(), ErrNotAllowed)
	b.changeToken(t, token, func(k *fleet.Token) { k.Ended = false })
	b.putDeployment(t, fleet.Deployment{ID: "d", DeviceID: "device-a", Status: fleet.DeploymentSucceeded})
	wants(t, renew(), ErrNotAllowed)
}

// A second token for another key reaches what the first one does, and not longer; both
// end with their deployment.
func TestASecondTokenForAnotherKey(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", strings.Repeat("a1", 32))
	other := caller
	other.Binding = strings.Repeat("b2", 32)
	delegate := func(binding string) (string, time.Time, error) {
		t.Helper()
		held, err := b.Authenticate(t.Context(), token, caller)
		if err != nil {
			t.Fatal(err)
		}
		return b.Delegate(t.Context(), held, caller, binding)
	}
	_, _, err := delegate(other.Binding)
	wants(t, err, ErrNotAllowed) // nothing runs
	b.putDeployment(t, fleet.Deployment{ID: "d", DeviceID: "device-a", Status: fleet.DeploymentRunning})
	b.bind(t, token, "d")
	for _, binding := range []string{"", "b2", strings.Repeat("B2", 32), strings.Repeat("zz", 32)} {
		_, _, err := delegate(binding)
		wants(t, err, ErrNotAllowed)
	}
	start := b.clock.now()
	b.clock.add(deviceTokenLife - time.Minute)
	second, expires, err := delegate(other.Binding)
	if err != nil || second == token || !expires.Equal(b.clock.now().Add(deviceTokenLife)) {
		t.Fatalf("%v, good until %v", err, expires.Sub(start))
	}
	b.trail.wants(t, "token.delegated:ok:the deployment goes on in Windows PE")
	if _, err := b.Authenticate(t.Context(), second, caller); !errors.Is(err, ErrBinding) {
		t.Errorf("with the first key: %v", err)
	}
	held, err := b.Authenticate(t.Context(), second, other)
	if err != nil || held.Deployment != "d" || held.DeviceID != "device-a" || !held.CreatedAt.Equal(start.UTC()) {
		t.Errorf("%+v, %v", held, err)
	}
	if _, err := b.Authenticate(t.Context(), token, caller); err != nil {
		t.Errorf("the first token: %v", err)
	}
	b.changeToken(t, token, func(k *fleet.Token) { k.CreatedAt = b.clock.now().UTC().Add(time.Hour - deviceTokenBound) })
	if _, expires, err := delegate(other.Binding); err != nil || expires.After(b.clock.now().Add(time.Hour)) {
		t.Errorf("it outlives the sign-in: %v, %v", expires.Sub(start), err)
	}
	b.putDeployment(t, fleet.Deployment{ID: "d", DeviceID: "device-a", Status: fleet.DeploymentFailed})
	_, _, err = delegate(other.Binding)
	wants(t, err, ErrNotAllowed)
}

// Who signs in again and again in a device's name does not end its deployment.
func TestARunningDeploymentKeepsItsToken(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", "")
	b.bind(t, token, "d")
	for range 3 * tokensPerDevice {
		b.clock.add(time.Second)
		b.deviceToken(t, "a", "")
	}
	if _, err := b.Authenticate(t.Context(), token, caller); err != nil {
		t.Errorf("the token of the running deployment: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, caller := b.deviceToken(t, "a", "")
	kept, _ := b.deviceToken(t, "a", "")
	have, err := b.Authenticate(t.Context(), token, caller)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, b.Revoke(t.Context(), Actor{Name: "anna"}, have.ID), nil)
	_, err = b.Authenticate(t.Context(), token, caller)
	wants(t, err, ErrNoToken)
	wants(t, b.Revoke(t.Context(), Actor{Name: "anna"}, have.ID), ErrNotFound)
	wants(t, b.Revoke(t.Context(), Actor{Name: "anna"}, ""), ErrNotFound)
	if _, err := b.Authenticate(t.Context(), kept, caller); err != nil {
		t.Error(err)
	}
}

func TestTokensOfADeviceAreBounded(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	first, caller := b.deviceToken(t, "a", "")
	var last string
	for range 3 * tokensPerDevice {
		b.clock.add(time.Second)
		last, _ = b.deviceToken(t, "a", "")
	}
	_ = b.state.View(func(tx *state.Tx) error {
		if n := tx.Tokens().Len(); n != tokensPerDevice {
			t.Errorf("%d tokens, want %d", n, tokensPerDevice)
		}
		return nil
	})
	_, err := b.Authenticate(t.Context(), first, caller)
	wants(t, err, ErrNoToken)
	if _, err := b.Authenticate(t.Context(), last, caller); err != nil {
		t.Error(err)
	}
}

// Tokens go on working while everything is held back.
func TestTokensAreNeverThrottled(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	caller := from("192.0.2.7")
	token, _, err := b.SignInPasscode(t.Context(), weakPasscode, "", machine("a"), caller)
	if err != nil {
		t.Fatal(err)
	}
	fillSegment(t, b, "192.0.2")
	for range 100 {
		if _, err := b.Authenticate(t.Context(), token, caller); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPITokens(t *testing.T) {
	b := newBench(t)
	value, made, err := b.AddToken(t.Context(), Actor{Name: "anna"}, "Backup-Script", fleet.RoleViewer, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	have, err := b.Authenticate(t.Context(), value, from("192.0.2.1"))
	if err != nil || have.Role != fleet.RoleViewer || have.Name != "backup-script" || have.Kind != fleet.TokenAPI {
		t.Fatalf("%+v, %v", have, err)
	}
	_, _, err = b.AddToken(t.Context(), Actor{}, "backup-script", fleet.RoleAdministrator, 0)
	wants(t, err, ErrExists)
	_, _, err = b.Renew(t.Context(), value, from("192.0.2.1"))
	wants(t, err, ErrNotAllowed)
	list, err := b.ListTokens(t.Context())
	if err != nil || len(list) != 1 || list[0].Hash != "" || list[0].ID != made.ID {
		t.Errorf("list %+v, %v", list, err)
	}
	for _, c := range []struct {
		name string
		role fleet.Role
		ttl  time.Duration
	}{
		{"x y", fleet.RoleViewer, 0},
		{"", fleet.RoleViewer, 0},
		{"x", "owner", 0},
		{"x", "", 0},
		{"x", fleet.RoleViewer, -time.Hour},
		{"x", fleet.RoleViewer, 1000 * 24 * time.Hour},
	} {
		var invalid *InvalidError
		if _, _, err := b.AddToken(t.Context(), Actor{}, c.name, c.role, c.ttl); !errors.As(err, &invalid) {
			t.Errorf("%+v: err = %v", c, err)
		}
	}
	b.clock.add(time.Hour)
	_, err = b.Authenticate(t.Context(), value, from("192.0.2.1"))
	wants(t, err, ErrExpired)
	again, _, err := b.AddToken(t.Context(), Actor{}, "backup-script", fleet.RoleViewer, 0)
	if err != nil || again == value {
		t.Errorf("the name of an expired token is not free: %v", err)
	}
	b.trail.neverHolds(t, value, again)
}

func TestParseBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc":   "abc",
		"bearer a-b_c": "a-b_c",
		"BEARER   abc": "abc",
	} {
		if have, err := ParseBearer(header); err != nil || have != want {
			t.Errorf("%q: %q, %v", header, have, err)
		}
	}
	for _, header := range []string{
		"", "Bearer", "Bearer ", "abc", "Basic abc", "Bearer a b", "Bearer a,b", "Bearer\tabc",
		"Bearer abc ", "Bearer abc\r\nX: y", "Bearer a=", "Bearer " + strings.Repeat("a", 129), " Bearer abc", "Bearer ä",
	} {
		if have, err := ParseBearer(header); !errors.Is(err, ErrNoToken) {
			t.Errorf("%q: %q, %v", header, have, err)
		}
	}
}

func FuzzParseBearer(f *testing.F) {
	f.Add("Bearer swd_abc-DEF_123")
	f.Add("bearer  \x00")
	f.Fuzz(func(t *testing.T, header string) {
		token, err := ParseBearer(header)
		if (err == nil) != isBearer(token) {
			t.Errorf("%q gave %q, %v", header, token, err)
		}
		if err == nil && (!strings.HasSuffix(header, token) || len(header) < len("Bearer ")+len(token)) {
			t.Errorf("%q gave %q", header, token)
		}
	})
}
