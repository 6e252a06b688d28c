package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	a, err := s.tryPasscode(ctx, passcode, subject)
	if err != nil {
		return "", time.Time{}, err
	}
	// Right: whatever fails from here on is no failure of the caller.
	a.succeed()
	s.tellHeld()
	return s.admit(ctx, proof{mechanism: fleet.MechanismPasscode, actor: "passcode", action: "passcode.accepted"}, environment, claim, caller)
}

// proof is what somebody proved at sign-in.
type proof struct {
	mechanism fleet.Mechanism
	actor     string // who, as the audit log and the deployment name them
	action    string // of the audit entry
	reason    string // of the audit entry
	passcode  string // id of the passcode
	scope     fleet.Scope
}

// admit gives a device token to somebody who proved what was asked, and notes it.
func (s *Service) admit(ctx context.Context, p proof, environment string, claim fleet.Claim, caller Caller) (token string, expires time.Time, err error) {
	device, err := s.resolve(ctx, claim, newSubject(caller, claim).addr)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("auth: find device: %w", err)
	}
	token, t, err := s.issue(ctx, fleet.Token{
		Kind: fleet.TokenDevice, DeviceID: device.ID, Mechanism: p.mechanism, Actor: p.actor,
		KeyBinding: caller.Binding, Address: addrText(caller), Environment: environment,
		Passcode: p.passcode, Scope: p.scope,
	})
	if err != nil {
		return "", time.Time{}, err
	}
	s.note(ctx, fleet.AuditEntry{
		Actor: p.actor, Action: p.action, Object: environment, Reason: p.reason,
		Device: device.ID, Address: addrText(caller), Outcome: "ok",
	})
	return token, t.ExpiresAt, nil
}

// tryPasscode asks the throttle, then compares. A nil error means that the
// passcode is the right one and the attempt is to be settled.
func (s *Service) tryPasscode(ctx context.Context, passcode string, subject subject) (*attempt, error) {
	stored, set, err := s.passcode()
	if err != nil {
		return nil, err
	}
	a, held := s.throttle.begin(subject, limitsFor(stored.Bits))
	if held != nil {
		s.tellHeld()
		s.refuse(ctx, "passcode.refused", subject, "throttled: "+held.Scope)
		return nil, held
	}
	right, err := s.check(ctx, a, stored.Hash, passcode)
	if err != nil {
		var busy *ThrottledError
		if errors.As(err, &busy) {
			s.refuse(ctx, "passcode.refused", subject, "throttled: "+busy.Scope)
		}
		return nil, err
	}
	if !right {
		a.fail()
		reason := "wrong"
		if !set {
			reason = "no passcode is set"
		}
		s.refuse(ctx, "passcode.refused", subject, reason)
		return nil, ErrWrong
	}
	return a, nil
}

// refuse notes a refused attempt of a device.
func (s *Service) refuse(ctx context.Context, action string, subject subject, reason string) {
	s.note(ctx, fleet.AuditEntry{
		Actor: "device", Action: action, Device: subject.device,
		Address: subject.addr.String(), Outcome: "refused", Reason: reason,
	})
}
