package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// SignInPasscode checks a passcode typed at a device and gives out a device
// token, bound to the caller's key when it has one. Errors: ErrWrong (also while
// no passcode is set), *ThrottledError, *InvalidError for the environment, and
// those of the state, e.g. state.ErrFull.
func (s *Service) SignInPasscode(ctx context.Context, passcode, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	environment, err = parseEnvironment(environment)
	if err != nil {
		return "", time.Time{}, err
	}
	subject := newSubject(caller, claim)
	if err := s.mayUse(environment, fleet.MechanismPasscode); err != nil {
		s.refuse(ctx, "passcode.refused", subject, "not allowed in this environment: "+environment)
		return "", time.Time{}, err
	}
	a, p, err := s.tryPasscode(ctx, passcode, subject, claim)
	if err != nil {
		return "", time.Time{}, err
	}
	token, expires, err = s.admit(ctx, p.proof(s.now), environment, claim, caller)
	if late := (*unfitError)(nil); errors.As(err, &late) {
		a.fail()
		s.refuse(ctx, "passcode.refused", subject, late.reason)
		return "", time.Time{}, ErrWrong
	}
	// Right: whatever else failed is no failure of the caller.
	a.succeed()
	s.tellHeld()
	return token, expires, err
}

// proof is what somebody proved at sign-in.
type proof struct {
	mechanism fleet.Mechanism
	actor     string // who, as the audit log and the deployment name them
	action    string // of the audit entry
	reason    string // of the audit entry
	passcode  string // id of the passcode
	scope     fleet.Scope
	// use, if set, is part of the transaction that stores the token for a device.
	// Its error refuses the token. It may be run again.
	use func(tx *state.Tx, device string) error
}

// admit gives a device token to somebody who proved what was asked, and notes it.
func (s *Service) admit(ctx context.Context, p proof, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	device, err := s.resolve(ctx, claim, newSubject(caller, claim).addr, p.mechanism != fleet.MechanismAnonymous)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("auth: find device: %w", err)
	}
	token, t, err := s.issue(ctx, fleet.Token{
		Kind: fleet.TokenDevice, DeviceID: device.ID, Mechanism: p.mechanism, Actor: p.actor,
		KeyBinding: caller.Binding, Address: addrText(caller), Environment: environment,
		Passcode: p.passcode, Scope: p.scope,
	}, p.use)
	if err != nil {
		return "", time.Time{}, err
	}
	s.note(ctx, fleet.AuditEntry{
		Actor: p.actor, Action: p.action, Object: environment, Reason: p.reason,
		Device: device.ID, Address: addrText(caller), Outcome: "ok",
	})
	return token, t.ExpiresAt, nil
}

// tryPasscode asks the throttle, then compares with all passcodes at once. A nil
// error means that it is one that may be used, and the attempt is to be settled.
// Wrong, expired, used up and out of scope are the same to the caller; the audit
// log tells them apart.
func (s *Service) tryPasscode(ctx context.Context, passcode string, subject subject, claim fleet.Claim) (*attempt, keptPasscode, error) {
	kept, err := s.keptPasscodes()
	if err != nil {
		return nil, keptPasscode{}, err
	}
	a, held := s.throttle.begin(subject, limitsFor(weakest(kept, s.now())))
	if held != nil {
		s.tellHeld()
		s.refuse(ctx, "passcode.refused", subject, "throttled: "+held.Scope)
		return nil, keptPasscode{}, held
	}
	i, err := s.checkAny(ctx, a, hashesOf(kept), passcode)
	if err != nil {
		var busy *ThrottledError
		if errors.As(err, &busy) {
			s.refuse(ctx, "passcode.refused", subject, "throttled: "+busy.Scope)
		}
		return nil, keptPasscode{}, err
	}
	reason := "wrong"
	switch {
	case i >= 0:
		if reason, err = s.unfit(kept[i], subject, claim); err != nil {
			a.cancel()
			return nil, keptPasscode{}, err
		}
		if reason == "" {
			return a, kept[i], nil
		}
	case weakest(kept, s.now()) == 0:
		reason = "no passcode is set"
	}
	a.fail()
	s.refuse(ctx, "passcode.refused", subject, reason)
	return nil, keptPasscode{}, ErrWrong
}

// refuse notes a refused attempt of a device.
func (s *Service) refuse(ctx context.Context, action string, subject subject, reason string) {
	s.note(ctx, fleet.AuditEntry{
		Actor: "device", Action: action, Device: subject.device,
		Address: subject.addr.String(), Outcome: "refused", Reason: reason,
	})
}
