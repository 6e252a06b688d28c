package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func TestPasscodeSignIn(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode+"\n")
	wants(t, b.try("wrong guess", "192.0.2.7", "a"), ErrWrong)
	caller := from("192.0.2.7")
	caller.Binding = strings.Repeat("ab", 32)
	token, expires, err := b.SignInPasscode(t.Context(), rightPasscode, "winpe", machine("a"), caller)
	if err != nil {
		t.Fatal(err)
	}
	if want := b.clock.now().Add(deviceTokenLife); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	have, err := b.Authenticate(t.Context(), token, caller)
	if err != nil {
		t.Fatal(err)
	}
	if have.DeviceID != "device-a" || have.Environment != "winpe" || have.Mechanism != fleet.MechanismPasscode ||
		have.Actor != "passcode" || have.Address != "192.0.2.7" || have.Kind != fleet.TokenDevice {
		t.Errorf("token %+v", have)
	}
	refused := b.trail.wants(t, "passcode.refused:refused:wrong")
	if refused.Address != "192.0.2.7" || !strings.Contains(refused.Device, "serial a") {
		t.Errorf("audit %+v", refused)
	}
	if e := b.trail.wants(t, "passcode.accepted:ok:passcode default"); e.Device != "device-a" {
		t.Errorf("audit %+v", e)
	}
	b.trail.neverHolds(t, rightPasscode, "wrong guess", token)
}

func TestWithNoneSetNothingIsAccepted(t *testing.T) {
	b := newBench(t)
	mechanisms, err := b.Mechanisms(t.Context(), "", "", from("192.0.2.1"))
	if err != nil || len(mechanisms) != 1 || mechanisms[0] != fleet.MechanismPasscode {
		t.Errorf("mechanisms %v, %v", mechanisms, err)
	}
	b.setPasscode(t, rightPasscode)
	if err := b.ClearPasscode(t.Context(), Actor{Name: "anna"}); err != nil {
		t.Fatal(err)
	}
	for i, guess := range []string{"", "\n", rightPasscode, "null", strings.Repeat("x", 10000), "\xff", "default"} {
		runs := b.hasher.runs.Load()
		wants(t, b.try(guess, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}).String(), ""), ErrWrong)
		if b.hasher.runs.Load() != runs+1 {
			t.Errorf("%q: no hashing, which can be measured", guess)
		}
	}
	b.trail.wants(t, "passcode.refused:refused:no passcode is set")
	b.trail.wants(t, "passcode.cleared:ok:")
	if s, err := b.PasscodeStatus(t.Context()); err != nil || s.Set {
		t.Errorf("status %+v, %v", s, err)
	}
}

// A right and a wrong passcode, an unusable one and none set: one argon2id run
// each, at the same cost.
func TestEveryAttemptCostsOneRun(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for _, guess := range []string{rightPasscode, "wrong", "", strings.Repeat("y", 5000), "\x00"} {
		runs := b.hasher.runs.Load()
		b.try(guess, "192.0.2.7", "a")
		if n := b.hasher.runs.Load() - runs; n != 1 {
			t.Errorf("%.10q: %d runs", guess, n)
		}
	}
	if b.hasher.dummy.params != b.hasher.params {
		t.Error("the comparison with nothing costs something else")
	}
}

func TestThrottledAttemptIsNotHashed(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		b.try("wrong", "192.0.2.7", "a")
	}
	runs := b.hasher.runs.Load()
	throttled(t, b.try(rightPasscode, "192.0.2.7", "a"))
	if b.hasher.runs.Load() != runs {
		t.Error("hashed before the throttle was asked")
	}
	b.trail.wants(t, "passcode.refused:refused:throttled: address")
}

func TestUnicodeFormsAreOne(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, "Jürgen isst Crème brûlée")
	wants(t, b.try("Ju\u0308rgen isst Cre\u0300me bru\u0302le\u0301e", "192.0.2.1", "a"), nil)
	wants(t, b.try("Jurgen isst Creme brulee", "192.0.2.1", "a"), ErrWrong)
}

func TestWeakPasscodeMustBeForced(t *testing.T) {
	b := newBench(t)
	for _, value := range []string{"1234", "password", "Summer2026"} {
		var invalid *InvalidError
		err := b.SetPasscode(t.Context(), Actor{}, value, false)
		if !errors.As(err, &invalid) || !invalid.CanForce || strings.Contains(err.Error(), value) {
			t.Errorf("%s: err = %v", value, err)
		}
		wants(t, b.SetPasscode(t.Context(), Actor{}, value, true), nil)
		wants(t, b.try(value, "192.0.2.1", "a"), nil)
	}
	for _, value := range []string{"", "\n", "a\x00b", strings.Repeat("x", 1000)} {
		var invalid *InvalidError
		if err := b.SetPasscode(t.Context(), Actor{}, value, true); !errors.As(err, &invalid) || invalid.CanForce {
			t.Errorf("%.10q: err = %v", value, err)
		}
	}
	wants(t, b.SetPasscode(t.Context(), Actor{}, "slipway-lab", false), nil)
}

func TestPasscodeStatus(t *testing.T) {
	b := newBench(t)
	if err := b.SetPasscode(t.Context(), Actor{Name: "anna"}, rightPasscode, false); err != nil {
		t.Fatal(err)
	}
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Settings().Put(fleet.Settings{PasscodeMaxAgeDays: 90})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		age   string
		old   bool
	}{
		{0, "less than a minute", false},
		{time.Minute, "1 minute", false},
		{3 * time.Hour, "3 hours", false},
		{86 * 24 * time.Hour, "86 days", false},
		{10 * 24 * time.Hour, "96 days", true},
	} {
		b.clock.add(c.after)
		s, err := b.PasscodeStatus(t.Context())
		if err != nil || !s.Set || s.Age != c.age || s.Old != c.old || s.SetBy != "anna" || s.Bits < StrongPasscodeBits {
			t.Errorf("after %v: %+v, %v", c.after, s, err)
		}
	}
}

func TestUnknownEnvironmentIsRefused(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	var invalid *InvalidError
	if _, err := b.Mechanisms(t.Context(), "dos", "", Caller{}); !errors.As(err, &invalid) {
		t.Errorf("err = %v", err)
	}
	_, _, err := b.SignInPasscode(t.Context(), rightPasscode, "LinuxPE", machine("a"), from("192.0.2.1"))
	if !errors.As(err, &invalid) || invalid.Field != "environment" {
		t.Errorf("err = %v", err)
	}
}

// The value of nothing we keep can be used to sign in.
func TestStateHoldsNoSecret(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	token, _, err := b.SignInPasscode(t.Context(), rightPasscode, "", machine("a"), from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	_ = b.state.View(func(tx *state.Tx) error {
		for p := range tx.Passcodes().All() {
			if strings.Contains(p.Hash, rightPasscode) || !strings.HasPrefix(p.Hash, "$argon2id$") {
				t.Errorf("passcode kept as %q", p.Hash)
			}
			wants(t, b.try(p.Hash, "192.0.2.1", "a"), ErrWrong)
		}
		for k := range tx.Tokens().All() {
			if k.Hash == token {
				t.Error("the token is kept as it is")
			}
			_, err := b.Authenticate(t.Context(), k.Hash, Caller{})
			wants(t, err, ErrNoToken)
		}
		return nil
	})
}

// A right passcode is no failure, even if the rest cannot be done.
func TestTroubleOfOursIsNotCounted(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	trouble := errors.New("no room for another device")
	b.resolve = func(context.Context, fleet.Claim, netip.Addr, bool) (fleet.Device, error) {
		return fleet.Device{}, trouble
	}
	for range 20 {
		wants(t, b.try(rightPasscode, "192.0.2.7", "a"), trouble)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.restart(t)
	for range 20 {
		if _, _, err := b.SignInPasscode(ctx, rightPasscode, "", machine("a"), from("192.0.2.7")); err == nil {
			t.Error("a token that is not stored was given out")
		}
	}
	wants(t, b.try(rightPasscode, "192.0.2.7", "a"), nil)
}
