package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"slipway/appliance/internal/clientcert"
	"slipway/appliance/internal/oidc"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Caller is who speaks, as the connection proves it.
type Caller struct {
	Addr         netip.Addr
	Binding      string              // hex SHA-256 of the client certificate; empty without one
	Certificates []*x509.Certificate // as the client showed them, leaf first; only possession of the leaf's key is proven
}

// Actor is who changes something, for the audit log: an account, or "local" for
// the socket in the data folder. Rights were checked before.
type Actor struct {
	Name    string
	Address string
}

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Resolver finds or makes the device of a claim. It is called after a successful
// sign-in only; proven says whether anything had to be shown for it.
type Resolver func(ctx context.Context, claim fleet.Claim, from netip.Addr, proven bool) (fleet.Device, error)

// Finder finds the device of a claim, and makes none. It is asked whether a
// passcode that is limited to some devices may be used by this one.
type Finder func(claim fleet.Claim) (d fleet.Device, found bool, err error)

// Sealer is the keyring that protects the providers' client secrets at rest.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options of a Service. Store, Audit, Resolve and Sealer must be set.
type Options struct {
	Store        *state.Store
	Audit        Auditor
	Resolve      Resolver
	Find         Finder // nil: no device is ever found
	Sealer       Sealer
	Certificates *clientcert.Verifier // nil: one that keeps no revocation lists
	OnHeld       func()               // called after the waiting list changed; must not block
	OnRemoved    func(account string) // called after an account was removed
	Hash         Params               // costs of new hashes; DefaultParams
	Now          func() time.Time     // time.Now
	Logger       *slog.Logger         // slog.Default()
}

// Service is the whole of sign-in. It is safe for concurrent use.
type Service struct {
	store    *state.Store
	audit    Auditor
	resolve  Resolver
	find     Finder
	onHeld   func()
	onGone   func(account string)
	now      func() time.Time
	log      *slog.Logger
	hasher   *hasher
	gate     *gate
	throttle *throttle

	sealer       Sealer
	certificates *clientcert.Verifier
	looks        *looks // refused certificates, by address
	providers    *oidc.Clients
	flows        *flows  // of devices that wait for a person
	starts       *starts // limits them
	anonymous    *starts // limits sign-ins without proof
	visits       *visits // of browsers that are at the console's provider
}

// New takes up the waits of the process before. Call Run to keep them.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Audit == nil || o.Resolve == nil || o.Sealer == nil {
		return nil, errors.New("auth: store, audit, resolver and sealer must be given")
	}
	if o.Hash == (Params{}) {
		o.Hash = DefaultParams()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Certificates == nil {
		o.Certificates = clientcert.New(clientcert.Options{Now: o.Now, Logger: o.Logger})
	}
	if o.Find == nil {
		o.Find = func(fleet.Claim) (fleet.Device, bool, error) { return fleet.Device{}, false, nil }
	}
	if o.OnHeld == nil {
		o.OnHeld = func() {}
	}
	if o.OnRemoved == nil {
		o.OnRemoved = func(string) {}
	}
	s := &Service{
		store: o.Store, audit: o.Audit, resolve: o.Resolve, find: o.Find, onHeld: o.OnHeld, onGone: o.OnRemoved, now: o.Now, log: o.Logger,
		hasher: newHasher(o.Hash), gate: newGate(), throttle: newThrottle(o.Now),
		sealer: o.Sealer, certificates: o.Certificates, looks: newLooks(o.Now), providers: oidc.NewClients(o.Now),
		flows: newFlows(), starts: newStarts(), anonymous: newStarts(), visits: newVisits(),
	}
	err := s.store.View(func(tx *state.Tx) error {
		s.throttle.loadWaits(tx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("auth: load waits: %w", err)
	}
	return s, nil
}

// How often Run looks after things.
const (
	flushTick = time.Second
	pruneTick = time.Minute
)

// Run keeps the waits in the state, and forgets what has expired, until ctx ends;
// then it writes the waits once more. The store must stay open until it returns.
func (s *Service) Run(ctx context.Context) error {
	flush := time.NewTicker(flushTick)
	defer flush.Stop()
	prune := time.NewTicker(pruneTick)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			s.providers.CloseIdle()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if _, err := s.flushWaits(last, true); err != nil {
				return fmt.Errorf("auth: keep waits: %w", err)
			}
			return nil
		case <-flush.C:
			_, err := s.flushWaits(ctx, false)
			s.warn(ctx, "throttling waits could not be stored", err)
		case <-prune.C:
			s.warn(ctx, "expired sign-ins could not be removed", s.prune(ctx))
		}
	}
}

// prune forgets expired counters, tokens and sessions.
func (s *Service) prune(ctx context.Context) error {
	l, err := s.limits()
	if err != nil {
		return err
	}
	s.throttle.prune(l)
	s.flows.prune(s.now())
	s.starts.prune(s.now())
	s.anonymous.prune(s.now())
	s.visits.prune(s.now())
	s.tellHeld()
	return errors.Join(s.pruneTokens(ctx), s.pruneSessions(ctx), s.prunePasscodes(ctx))
}

func (s *Service) warn(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, what, "error", err)
	}
}

// limits are those for the weakest passcode that is accepted now.
func (s *Service) limits() (l limits, err error) {
	kept, err := s.keptPasscodes()
	return limitsFor(weakest(kept, s.now())), err
}

// note writes an audit entry. A failure is logged and counted by the audit log
// itself; what was decided stands.
func (s *Service) note(ctx context.Context, e fleet.AuditEntry) {
	_ = s.audit.Write(ctx, e)
}

// done notes something an actor did.
func (s *Service) done(ctx context.Context, actor Actor, action, object, reason string) {
	s.note(ctx, fleet.AuditEntry{
		Actor: actor.Name, Address: actor.Address, Action: action, Object: object, Reason: reason, Outcome: "ok",
	})
}

// tellHeld calls OnHeld when the waiting list changed.
func (s *Service) tellHeld() {
	if s.throttle.takeListChange() {
		s.onHeld()
	}
}

// check runs one argon2id comparison when its turn comes. It gives the attempt
// back when it never does; otherwise the caller settles it.
func (s *Service) check(ctx context.Context, a *attempt, stored, secret string) (bool, error) {
	i, err := s.checkAny(ctx, a, []string{stored}, secret)
	return i == 0, err
}

// checkAny is check with any number of hashes and still one run: it says which of
// them was made of the secret, -1 for none.
func (s *Service) checkAny(ctx context.Context, a *attempt, stored []string, secret string) (int, error) {
	if err := s.gate.enter(ctx, a.score); err != nil {
		a.cancel()
		if errors.Is(err, errBusy) {
			return -1, &ThrottledError{RetryAfter: 2 * time.Second, Scope: "busy"}
		}
		return -1, err
	}
	defer s.gate.leave()
	secret, usable := normalise(secret)
	i := s.hasher.match(stored, secret)
	if !usable {
		return -1, nil
	}
	return i, nil
}

// newHash hashes a secret that is being set, in its turn.
func (s *Service) newHash(ctx context.Context, secret string) (string, error) {
	return s.newHashLike(ctx, secret, s.hasher.fresh())
}

// newHashLike hashes it under the salt and costs of another hash.
func (s *Service) newHashLike(ctx context.Context, secret string, like phc) (string, error) {
	if err := s.gate.enter(ctx, -2); err != nil {
		return "", err
	}
	defer s.gate.leave()
	return s.hasher.hashLike(secret, like), nil
}

func addrText(c Caller) string {
	if !c.Addr.IsValid() {
		return ""
	}
	return plainAddr(c.Addr).String()
}
