package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
	"slipway/fleet"
)

var booted = device("192.0.2.7", "a")

func (b *providerBench) start(t *testing.T, caller Caller) EntraStart {
	t.Helper()
	e, err := b.StartEntra(t.Context(), "linuxpe", machine("a"), caller)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// poll polls when the time has come.
func (b *providerBench) poll(t *testing.T, e EntraStart) (string, error) {
	t.Helper()
	b.wait(e.Interval)
	token, _, err := b.PollEntra(t.Context(), e.Session, booted)
	return token, err
}

func pending(t *testing.T, err error) time.Duration {
	t.Helper()
	var p *PendingError
	if !errors.As(err, &p) {
		t.Fatalf("err = %v, want pending", err)
	}
	return p.Interval
}

// polls is how often the provider was asked about the newest flow.
func (b *providerBench) polls() int {
	f := b.op.Flows()
	return f[len(f)-1].Polls
}

func TestEntraApproved(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if e.Interval != 5*time.Second || e.ExpiresIn < 4*time.Minute || !strings.Contains(e.VerificationURIComplete, e.UserCode) || len(e.Session) < 43 {
		t.Errorf("%+v", e)
	}
	// However often the device asks, the provider is asked once an interval.
	for range 10 {
		_, _, err := b.PollEntra(t.Context(), e.Session, booted)
		if left := pending(t, err); left != e.Interval {
			t.Errorf("wait %v", left)
		}
	}
	if n := b.polls(); n != 0 {
		t.Errorf("%d polls before the interval was over", n)
	}
	_, err := b.poll(t, e)
	pending(t, err)
	for range 10 {
		_, _, err := b.PollEntra(t.Context(), e.Session, booted)
		pending(t, err)
	}
	if n := b.polls(); n != 1 {
		t.Errorf("%d polls in one interval", n)
	}
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	token, err := b.poll(t, e)
	wants(t, err, nil)
	have, err := b.Authenticate(t.Context(), token, booted)
	if err != nil || have.Mechanism != fleet.MechanismEntra || have.Actor != "anna@example.test" || have.DeviceID != "device-a" ||
		have.Environment != "linuxpe" || have.KeyBinding != booted.Binding {
		t.Errorf("%+v, %v", have, err)
	}
	_, err = b.Authenticate(t.Context(), token, device("192.0.2.7", "b"))
	wants(t, err, ErrBinding)
	entry := b.trail.wants(t, "entra.accepted:ok:role Deploy; id1 at "+strings.TrimPrefix(b.op.Issuer, "https://"))
	if entry.Actor != "anna@example.test" || entry.Device != "device-a" || entry.Address != "192.0.2.7" {
		t.Errorf("%+v", entry)
	}
	// The answer may be lost on its way.
	b.clock.add(lostAnswer - time.Second)
	again, _, err := b.PollEntra(t.Context(), e.Session, booted)
	if err != nil || again != token || b.polls() != 2 {
		t.Errorf("another token, or %d polls: %v", b.polls(), err)
	}
	_, _, err = b.PollEntra(t.Context(), e.Session, device("192.0.2.7", "b"))
	wants(t, err, ErrBinding)
	b.clock.add(time.Second)
	_, _, err = b.PollEntra(t.Context(), e.Session, booted)
	wants(t, err, ErrCodeExpired)
	b.trail.neverHolds(t, e.Session, e.UserCode, token)
}

// Each of these is the provider's own answer.
func TestEntraRefused(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	host := strings.TrimPrefix(b.op.Issuer, "https://")
	for name, c := range map[string]struct {
		do     func(e EntraStart) error
		want   error
		reason string
		actor  string
	}{
		"denied":     {func(e EntraStart) error { return b.op.Deny(e.UserCode) }, ErrDenied, "denied", "device"},
		"expired":    {func(e EntraStart) error { return b.op.Expire(e.UserCode) }, ErrCodeExpired, "expired", "device"},
		"wrong role": {func(e EntraStart) error { return b.op.Approve(e.UserCode, "id2") }, ErrRole, "lacks the role, has no role; id2 at " + host, "ben@example.test"},
		"expired token": {func(e EntraStart) error {
			return errors.Join(b.op.SetFaults(oidctest.Faults{Lifetime: -time.Hour}), b.op.Approve(e.UserCode, "id1"))
		}, ErrDenied, "the provider's token is not accepted: it has expired: are the clocks right?", "device"},
		"unknown key": {func(e EntraStart) error {
			return errors.Join(b.op.SetFaults(oidctest.Faults{Key: true}), b.op.Approve(e.UserCode, "id1"))
		}, ErrDenied, "the provider's token is not accepted: failed to verify signature: failed to verify id token signature", "device"},
		"another client's token": {func(e EntraStart) error {
			return errors.Join(b.op.SetFaults(oidctest.Faults{Audience: "other"}), b.op.Approve(e.UserCode, "id1"))
		}, ErrDenied, `the provider's token is not accepted: oidc: expected audience "slipway" got ["other"]`, "device"},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.start(t, booted)
			if err := c.do(e); err != nil {
				t.Fatal(err)
			}
			token, err := b.poll(t, e)
			if !errors.Is(err, c.want) || token != "" {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if entry := b.trail.wants(t, "entra.refused:refused:"+c.reason); entry.Actor != c.actor || entry.Address != "192.0.2.7" || !strings.Contains(entry.Device, "serial a") {
				t.Errorf("%+v", entry)
			}
			b.faulty(t, oidctest.Faults{})
			_, err = b.poll(t, e)
			wants(t, err, ErrCodeExpired) // that flow is over
		})
	}
	if n := b.trail.count("entra.accepted"); n != 0 {
		t.Errorf("%d were let in", n)
	}
}

func TestEntraCodeRunsOut(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	b.wait(e.ExpiresIn)
	_, _, err := b.PollEntra(t.Context(), e.Session, booted)
	wants(t, err, ErrCodeExpired)
	b.trail.wants(t, "entra.refused:refused:expired")
	e = b.start(t, booted)
	b.wait(e.ExpiresIn)
	b.flows.prune(b.clock.now())
	if n := len(b.flows.byKey); n != 0 {
		t.Errorf("%d flows are kept", n)
	}
}

func TestEntraSlowDown(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.SlowDown(e.UserCode, 2); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{10 * time.Second, 15 * time.Second, 15 * time.Second} {
		b.wait(time.Hour / 60)
		_, _, err := b.PollEntra(t.Context(), e.Session, booted)
		if got := pending(t, err); got != want || b.polls() != i+1 {
			t.Errorf("interval %v after %d polls, want %v", got, b.polls(), want)
		}
		b.wait(want - time.Second)
		_, _, err = b.PollEntra(t.Context(), e.Session, booted)
		if left := pending(t, err); left != time.Second || b.polls() != i+1 {
			t.Errorf("polled early, or wait %v", left)
		}
	}
}

func TestEntraProviderDown(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Down(); err != nil {
		t.Fatal(err)
	}
	_, err := b.StartEntra(t.Context(), "", machine("b"), device("192.0.2.8", "b"))
	wants(t, err, ErrProvider)
	_, err = b.poll(t, e)
	wants(t, err, ErrProvider)
	_, _, err = b.PollEntra(t.Context(), e.Session, booted) // not yet, and no change
	wants(t, err, ErrProvider)
	_, err = b.poll(t, e)
	wants(t, err, ErrProvider)
	if n := b.trail.count("entra.refused:refused:the provider does not answer: "); n != 2 {
		t.Errorf("%d entries, want one for each device: %q", n, b.trail.actions())
	}
	if err := errors.Join(b.op.Up(), b.op.Approve(e.UserCode, "id1")); err != nil {
		t.Fatal(err)
	}
	b.wait(longestRetry)
	_, err = b.poll(t, e)
	wants(t, err, nil)
}

// A restart forgets what is pending; the device begins anew by itself.
func TestEntraRestart(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	b.providers.CloseIdle()
	b.restart(t)
	_, err := b.poll(t, e)
	wants(t, err, ErrCodeExpired)
	fresh := b.start(t, booted)
	if fresh.UserCode == e.UserCode || fresh.Session == e.Session {
		t.Error("the code is not a fresh one")
	}
	if err := b.op.Approve(fresh.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	_, err = b.poll(t, fresh)
	wants(t, err, nil)
}

// A session is worth nothing to another device.
func TestEntraSessionOfAnother(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	plain := from("192.0.2.7")
	for name, c := range map[string]struct{ owner, thief Caller }{
		"another key":          {booted, device("192.0.2.7", "b")},
		"no key":               {booted, plain},
		"a key for none":       {plain, booted},
		"none, other address":  {plain, from("192.0.2.9")},
		"key at other address": {booted, device("192.0.2.9", "c")},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.start(t, c.owner)
			if err := b.op.Approve(e.UserCode, "id1"); err != nil {
				t.Fatal(err)
			}
			b.wait(e.Interval)
			_, _, err := b.PollEntra(t.Context(), e.Session, c.thief)
			wants(t, err, ErrBinding)
			b.trail.wants(t, "entra.refused:refused:the sign-in belongs to another device")
			_, _, err = b.PollEntra(t.Context(), e.Session, c.owner)
			wants(t, err, nil)
		})
	}
	for _, nonsense := range []string{"", "x", strings.Repeat("x", 500), "\x00", "../"} {
		_, _, err := b.PollEntra(t.Context(), nonsense, booted)
		wants(t, err, ErrCodeExpired)
	}
	// The same device may have another address by now.
	e := b.start(t, booted)
	_ = b.op.Approve(e.UserCode, "id1")
	b.wait(e.Interval)
	_, _, err := b.PollEntra(t.Context(), e.Session, device("192.0.2.99", "a"))
	wants(t, err, nil)
}

func TestEntraSettingsEndFlows(t *testing.T) {
	b := newProviderBench(t)
	for name, c := range map[string]struct {
		changes map[string]string
		again   error
	}{
		"switched off":   {map[string]string{"entra": "off"}, ErrNotAllowed},
		"another client": {map[string]string{"entra.client_id": "slipway-secret", "entra.client_secret": "s3cret-of-ours"}, nil},
		"another issuer": {map[string]string{"entra.issuer": "https://127.0.0.1:1"}, ErrProvider},
	} {
		t.Run(name, func(t *testing.T) {
			b.set(t, map[string]string{"entra.client_secret": ""})
			b.entraOn(t)
			e := b.start(t, booted)
			if err := b.op.Approve(e.UserCode, "id1"); err != nil {
				t.Fatal(err)
			}
			b.set(t, c.changes)
			_, err := b.poll(t, e)
			wants(t, err, ErrCodeExpired)
			b.trail.wants(t, "entra.refused:refused:the settings were changed")
			_, err = b.StartEntra(t.Context(), "", machine("a"), booted)
			if !errors.Is(err, c.again) {
				t.Errorf("begin again: %v, want %v", err, c.again)
			}
		})
	}
	b.trail.neverHolds(t, "s3cret-of-ours")
}

// Roles are those asked for when the person has signed in.
func TestEntraRoles(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	for _, c := range []struct {
		roles, claim, user string
		want               error
	}{
		{"*", "", "id2", nil},
		{"Other", "", "id1", ErrRole},
		{"deploy", "", "id1", ErrRole}, // letter case counts
		{"Team", "realm_access.roles", "id3", nil},
		{"Team", "", "id3", ErrRole},
	} {
		b.op.SetUser(oidctest.User{ID: "id3", Name: "kim", Claims: map[string]any{"realm_access": map[string]any{"roles": []string{"Team"}}}})
		e := b.start(t, booted)
		b.set(t, map[string]string{"entra.roles": c.roles, "entra.role_claim": c.claim})
		if err := b.op.Approve(e.UserCode, c.user); err != nil {
			t.Fatal(err)
		}
		if _, err := b.poll(t, e); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestEntraWithASecret(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	b.set(t, map[string]string{"entra.client_id": "slipway-secret", "entra.client_secret": "s3cret-of-ours"})
	e := b.start(t, booted)
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	_, err := b.poll(t, e)
	wants(t, err, nil)
	b.set(t, map[string]string{"entra.client_secret": "another-secret"})
	_, err = b.StartEntra(t.Context(), "", machine("a"), booted)
	wants(t, err, ErrProvider)
	b.trail.neverHolds(t, "s3cret-of-ours", "another-secret")
}

// The device hangs up while the provider gives its one answer.
func TestEntraDeviceGoesAway(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	b.wait(e.Interval)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, _ = b.PollEntra(gone, e.Session, booted)
	b.clock.add(time.Second)
	token, _, err := b.PollEntra(t.Context(), e.Session, booted)
	if err != nil || token == "" || b.polls() != 1 {
		t.Errorf("%q, %v after %d polls", token, err, b.polls())
	}
}

// What the person did is not lost when the token cannot be stored at once.
func TestEntraStateTrouble(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	resolve, full := b.resolve, errors.New("the disk is full")
	b.resolve = func(context.Context, fleet.Claim, netip.Addr, bool) (fleet.Device, error) {
		return fleet.Device{}, full
	}
	_, err := b.poll(t, e)
	wants(t, err, full)
	b.resolve = resolve
	_, err = b.poll(t, e)
	wants(t, err, nil)
	if n := b.polls(); n != 1 {
		t.Errorf("%d polls", n)
	}
}

func TestEntraPollsAtOnce(t *testing.T) {
	b := newProviderBench(t)
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Approve(e.UserCode, "id1"); err != nil {
		t.Fatal(err)
	}
	b.wait(e.Interval)
	var wg sync.WaitGroup
	tokens := make(chan string, 50)
	for range cap(tokens) {
		wg.Go(func() {
			token, _, err := b.PollEntra(t.Context(), e.Session, booted)
			var p *PendingError
			if err != nil && !errors.As(err, &p) {
				t.Errorf("err = %v", err)
			}
			tokens <- token
		})
	}
	wg.Wait()
	close(tokens)
	found := map[string]bool{}
	for token := range tokens {
		found[token] = true
	}
	delete(found, "")
	if len(found) != 1 || b.polls() != 1 || b.trail.count("entra.accepted") != 1 {
		t.Errorf("%d tokens of %d polls", len(found), b.polls())
	}
}

// Guessing passcodes and signing in with Entra ID do not hold each other up.
func TestEntraIsApartFromPasscodes(t *testing.T) {
	b := newProviderBench(t)
	b.setPasscode(t, rightPasscode)
	for range 10 {
		_ = b.try("wrong", "192.0.2.7", "a")
	}
	throttled(t, b.try("wrong", "192.0.2.7", "a"))
	b.entraOn(t)
	e := b.start(t, booted)
	if err := b.op.Deny(e.UserCode); err != nil {
		t.Fatal(err)
	}
	_, err := b.poll(t, e)
	wants(t, err, ErrDenied)
}

func TestEntraStartsAreLimited(t *testing.T) {
	b := newProviderBench(t)
	b.set(t, map[string]string{"entra": "on", "entra.issuer": "https://127.0.0.1:1", "entra.client_id": "slipway", "entra.roles": "*"})
	attempt := func(addr string) error {
		_, err := b.StartEntra(t.Context(), "", machine(addr), from(addr))
		return err
	}
	for range int(startRates[0].burst) {
		wants(t, attempt("192.0.2.1"), ErrProvider)
	}
	if e := throttled(t, attempt("192.0.2.1")); e.Scope != "address" || e.RetryAfter <= 0 || e.RetryAfter > longestWait {
		t.Errorf("%+v", e)
	}
	b.trail.wants(t, "entra.refused:refused:throttled: address")
	wants(t, attempt("192.0.2.2"), ErrProvider)
	b.clock.add(time.Minute)
	wants(t, attempt("192.0.2.1"), ErrProvider)
}

func TestEntraNotOffered(t *testing.T) {
	b := newProviderBench(t)
	_, err := b.StartEntra(t.Context(), "linuxpe", machine("a"), booted)
	wants(t, err, ErrNotAllowed)
	b.trail.wants(t, "entra.refused:refused:not offered here: linuxpe")
	var e *InvalidError
	if _, err = b.StartEntra(t.Context(), "dos", machine("a"), booted); !errors.As(err, &e) {
		t.Errorf("err = %v", err)
	}
}
