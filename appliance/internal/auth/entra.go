package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/oidc"
	"slipway/fleet"
)

// EntraStart is a device flow that waits for a person.
type EntraStart struct {
	Session                 string // names the flow to PollEntra; a secret of the device
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string
	ExpiresIn               time.Duration
	Interval                time.Duration
}

// StartEntra begins a device flow for a device. Errors: ErrNotAllowed when Entra ID
// is not offered here, ErrProvider, *ThrottledError.
func (s *Service) StartEntra(ctx context.Context, environment string, claim fleet.Claim, caller Caller) (EntraStart, error) {
	environment, err := parseEnvironment(environment)
	if err != nil {
		return EntraStart{}, err
	}
	subject := newSubject(caller, claim)
	if err := s.mayUse(environment, fleet.MechanismEntra); err != nil {
		s.refuse(ctx, "entra.refused", subject, "not offered here: "+environment)
		return EntraStart{}, err
	}
	if held := s.starts.begin(subject, s.now()); held != nil {
		s.refuse(ctx, "entra.refused", subject, "throttled: "+held.Scope)
		return EntraStart{}, held
	}
	v, err := s.SignInSettings(ctx)
	if err != nil {
		return EntraStart{}, err
	}
	cfg, err := s.providerConfig(v.Entra, purposeEntraSecret)
	if err != nil {
		return EntraStart{}, s.noProvider(ctx, subject, err)
	}
	code, err := s.providers.StartDevice(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return EntraStart{}, ctx.Err() // nobody waits for it any more
		}
		return EntraStart{}, s.noProvider(ctx, subject, err)
	}
	session, now := newSecret(""), s.now()
	s.flows.add(&flow{
		key: hashOf(session), addr: subject.addr.String(), seg: subject.segKey, binding: caller.Binding,
		environment: environment, claim: claim, issuer: cfg.Issuer, clientID: cfg.ClientID,
		code: code, started: now, interval: code.Interval, next: now.Add(code.Interval),
	})
	return EntraStart{
		Session: session, UserCode: code.UserCode, VerificationURI: code.VerificationURI,
		VerificationURIComplete: code.VerificationURIComplete,
		ExpiresIn:               code.ExpiresAt.Sub(now), Interval: code.Interval,
	}, nil
}

// noProvider notes why the provider cannot be used. The device hears no more than
// that it is so.
func (s *Service) noProvider(ctx context.Context, subject subject, err error) error {
	s.log.WarnContext(ctx, "the sign-in provider of devices cannot be used", "error", err)
	s.refuse(ctx, "entra.refused", subject, err.Error())
	return ErrProvider
}

// PollEntra asks how a flow stands. Errors: *PendingError, ErrDenied, ErrRole,
// ErrCodeExpired (also for a session nobody knows, e.g. after a restart),
// ErrProvider, ErrBinding.
func (s *Service) PollEntra(ctx context.Context, session string, caller Caller) (token string, expires time.Time, err error) {
	f := s.flows.find(session)
	if f == nil {
		return "", time.Time{}, ErrCodeExpired
	}
	subject := newSubject(caller, f.claim)
	if !f.ours(caller) {
		s.refuse(ctx, "entra.refused", subject, "the sign-in belongs to another device")
		return "", time.Time{}, ErrBinding
	}
	v, err := s.SignInSettings(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	if !v.Entra.Enabled || issuerOf(v.Entra) != f.issuer || v.Entra.ClientID != f.clientID {
		return "", time.Time{}, s.endFlow(ctx, f, subject, "the settings were changed", ErrCodeExpired)
	}
	switch turn, wait := s.flows.take(f, s.now()); turn {
	case turnWait:
		return "", time.Time{}, &PendingError{Interval: wait}
	case turnTrouble:
		return "", time.Time{}, ErrProvider
	case turnAgain:
		return f.token, f.expires, nil
	case turnOver:
		return "", time.Time{}, s.endFlow(ctx, f, subject, "expired", ErrCodeExpired)
	}
	// A device that goes away must not lose what a person has just done: the
	// provider gives its token once. How long this takes is bounded.
	return s.askProvider(context.WithoutCancel(ctx), f, v.Entra, caller)
}

// askProvider polls once and ends the turn that was taken.
func (s *Service) askProvider(ctx context.Context, f *flow, e fleet.EntraSignIn, caller Caller) (token string, expires time.Time, err error) {
	interval, trouble, person := f.interval, f.failures > 0, f.person
	answered := true
	defer func() {
		s.flows.release(f, func() {
			f.interval, f.person = interval, person
			f.answered(s.now(), answered)
			if token != "" {
				f.token, f.expires, f.admitted = token, expires, s.now()
			}
		})
	}()
	subject := newSubject(caller, f.claim)
	if person == nil {
		var p oidc.Person
		cfg, err := s.providerConfig(e, purposeEntraSecret)
		if err == nil {
			p, err = s.providers.PollDevice(ctx, cfg, f.code)
		}
		switch {
		case err == nil:
			person = &p
		case errors.Is(err, oidc.ErrPending):
			return "", time.Time{}, &PendingError{Interval: interval}
		case errors.Is(err, oidc.ErrSlowDown):
			interval = min(interval+slowDownBy, longestPoll)
			return "", time.Time{}, &PendingError{Interval: interval}
		case errors.Is(err, oidc.ErrDenied):
			return "", time.Time{}, s.endFlow(ctx, f, subject, "denied", ErrDenied)
		case errors.Is(err, oidc.ErrExpired):
			return "", time.Time{}, s.endFlow(ctx, f, subject, "expired", ErrCodeExpired)
		case errors.Is(err, oidc.ErrToken):
			s.log.WarnContext(ctx, "a token of the sign-in provider was refused", "error", err)
			return "", time.Time{}, s.endFlow(ctx, f, subject, err.Error(), ErrDenied)
		default:
			answered = false
			if trouble {
				return "", time.Time{}, ErrProvider // noted already
			}
			return "", time.Time{}, s.noProvider(ctx, subject, err)
		}
	}
	return s.admitPerson(ctx, f, *person, e.Roles, caller)
}

// admitPerson gives the device its token when the person has a role for that.
func (s *Service) admitPerson(ctx context.Context, f *flow, p oidc.Person, roles []string, caller Caller) (token string, expires time.Time, err error) {
	role, ok := matchRole(roles, p.Roles)
	if !ok {
		s.flows.end(f)
		s.note(ctx, fleet.AuditEntry{
			Actor: p.Name, Action: "entra.refused", Object: f.environment, Device: describe(f.claim),
			Address: addrText(caller), Outcome: "refused",
			Reason: "lacks the role, has " + roleText(p.Roles) + "; " + p.Subject + " at " + hostOf(p.Issuer),
		})
		return "", time.Time{}, ErrRole
	}
	return s.admit(ctx, proof{
		mechanism: fleet.MechanismEntra, actor: p.Name, action: "entra.accepted",
		reason: fmt.Sprintf("role %s; %s at %s", role, p.Subject, hostOf(p.Issuer)),
	}, f.environment, f.claim, caller)
}

// endFlow forgets a flow, notes why, and returns what the device is told.
func (s *Service) endFlow(ctx context.Context, f *flow, subject subject, reason string, answer error) error {
	s.flows.end(f)
	s.refuse(ctx, "entra.refused", subject, reason)
	return answer
}
