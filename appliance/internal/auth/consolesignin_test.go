package auth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/oidc/oidctest"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

var desk = from("192.0.2.50")

// consoleOn lets people sign in at the console.
func (b *providerBench) consoleOn(t *testing.T) {
	t.Helper()
	b.set(t, map[string]string{
		"console": "on", "console.name": "Contoso", "console.issuer": b.op.Issuer, "console.client_id": "slipway", "console.ca": b.op.CA(),
		"console.viewers": "See", "console.technicians": "Deploy", "console.administrators": "Admin, Root", "console.url": "https://slipway.example:8443",
	})
}

// visit sends a browser to the provider, where the person signs in.
func (b *providerBench) visit(t *testing.T, user string) (answer url.Values, cookie string) {
	t.Helper()
	redirect, cookie, err := b.BeginConsole(t.Context(), "https://slipway.example:8443", desk)
	if err != nil {
		t.Fatal(err)
	}
	back, err := b.op.Browse(redirect, user)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(back.String(), callback+"?") {
		t.Fatalf("came back to %s", back)
	}
	return back.Query(), cookie
}

func (b *providerBench) finish(t *testing.T, answer url.Values, cookie string) (string, fleet.Session, error) {
	t.Helper()
	return b.FinishConsole(t.Context(), answer, cookie, desk)
}

func (b *providerBench) account1(t *testing.T, name string) (a fleet.Account) {
	t.Helper()
	err := b.state.View(func(tx *state.Tx) (err error) {
		a, err = tx.Accounts().Get(name)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func TestConsoleSignIn(t *testing.T) {
	b := newProviderBench(t)
	if name, err := b.ConsoleProvider(t.Context()); err != nil || name != "" {
		t.Errorf("%q, %v", name, err)
	}
	_, _, err := b.BeginConsole(t.Context(), "https://slipway.example:8443", desk)
	wants(t, err, ErrNotAllowed)
	b.consoleOn(t)
	if name, err := b.ConsoleProvider(t.Context()); err != nil || name != "Contoso" {
		t.Errorf("%q, %v", name, err)
	}
	answer, cookie := b.visit(t, "id1")
	session, sess, err := b.finish(t, answer, cookie)
	wants(t, err, nil)
	if session == cookie || len(session) < 43 || sess.Account != "anna@example.test" || sess.CSRF == "" {
		t.Errorf("%+v", sess)
	}
	a, _, err := b.Session(t.Context(), session)
	if err != nil || a.Role != fleet.RoleTechnician || a.Issuer != b.op.Issuer || a.Subject != "id1" || a.Hash != "" || a.BreakGlass || a.LastSeen.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
	host := strings.TrimPrefix(b.op.Issuer, "https://")
	b.trail.wants(t, "account.added:ok:role technician, by "+host+" as id1")
	if e := b.trail.wants(t, "account.signed-in:ok:by "+host); e.Actor != "anna@example.test" || e.Address != "192.0.2.50" {
		t.Errorf("%+v", e)
	}
	// What was kept while away is no session.
	wants(t, b.sessionErr(t, cookie), ErrNoToken)
	b.trail.neverHolds(t, session, cookie, answer.Get("state"), answer.Get("code"))
}

// The role is what the claim says at each sign-in: the highest one that matches.
func TestConsoleRoles(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	signIn := func(roles ...string) (string, error) {
		t.Helper()
		if err := b.op.SetRoles("id1", roles...); err != nil {
			t.Fatal(err)
		}
		answer, cookie := b.visit(t, "id1")
		session, _, err := b.finish(t, answer, cookie)
		return session, err
	}
	_, err := signIn("Other")
	wants(t, err, ErrRole)
	if e := b.trail.wants(t, "account.refused:refused:no role at the console, has Other; by "+strings.TrimPrefix(b.op.Issuer, "https://")); e.Actor != "anna@example.test" {
		t.Errorf("%+v", e)
	}
	_ = b.state.View(func(tx *state.Tx) error {
		if n := tx.Accounts().Len(); n != 0 {
			t.Errorf("%d accounts of somebody without a role", n)
		}
		return nil
	})
	var session string
	for _, c := range []struct {
		roles []string
		want  fleet.Role
	}{
		{[]string{"See"}, fleet.RoleViewer},
		{[]string{"See", "Root", "Deploy"}, fleet.RoleAdministrator},
		{[]string{"Deploy", "See"}, fleet.RoleTechnician},
	} {
		session, err = signIn(c.roles...)
		wants(t, err, nil)
		if a, _, err := b.Session(t.Context(), session); err != nil || a.Role != c.want {
			t.Errorf("%v: %+v, %v", c.roles, a, err)
		}
	}
	// Who has lost the role loses the sessions, too.
	_, err = signIn()
	wants(t, err, ErrRole)
	wants(t, b.sessionErr(t, session), ErrNoToken)
	if n := len(b.accounts(t)); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func (b *providerBench) accounts(t *testing.T) []fleet.Account {
	t.Helper()
	list, err := b.ListAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// An answer is good once, in the browser that was sent, and in time.
func TestConsoleAnswersThatAreRefused(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	for name, c := range map[string]struct {
		change func(answer url.Values, cookie *string)
		want   error
		reason string
	}{
		"no cookie":             {func(_ url.Values, cookie *string) { *cookie = "" }, ErrWrong, "another browser began this sign-in"},
		"cookie of another":     {func(_ url.Values, cookie *string) { _, *cookie = b.visit(t, "id1") }, ErrWrong, "another browser began this sign-in"},
		"state of another":      {func(a url.Values, _ *string) { other, _ := b.visit(t, "id1"); a.Set("state", other.Get("state")) }, ErrWrong, "another browser began this sign-in"},
		"unknown state":         {func(a url.Values, _ *string) { a.Set("state", newSecret("")) }, ErrCodeExpired, "no such sign-in at the provider is under way: used already, too late, or begun before a restart"},
		"no state":              {func(a url.Values, _ *string) { a.Del("state") }, ErrCodeExpired, "no such sign-in at the provider is under way: used already, too late, or begun before a restart"},
		"no code":               {func(a url.Values, _ *string) { a.Del("code") }, ErrWrong, "the provider sent no code"},
		"another code":          {func(a url.Values, _ *string) { a.Set("code", "made-up") }, ErrWrong, "the provider's token is not accepted: invalid_grant: invalid code"},
		"code of another":       {func(a url.Values, _ *string) { other, _ := b.visit(t, "id1"); a.Set("code", other.Get("code")) }, ErrWrong, "the provider's token is not accepted: invalid_grant: invalid code_verifier"},
		"from another provider": {func(a url.Values, _ *string) { a.Set("iss", "https://login.example.net") }, ErrWrong, "the answer is from another provider"},
		"denied":                {func(a url.Values, _ *string) { a.Set("error", "access_denied") }, ErrDenied, "denied: access_denied"},
		"trouble":               {func(a url.Values, _ *string) { a.Set("error", "server_error") }, ErrProvider, "the provider sent the browser back: server_error"},
		"made up":               {func(a url.Values, _ *string) { a.Set("error", "\r\nadmin signed in") }, ErrProvider, "the provider sent the browser back with an error"},
		"too late":              {func(url.Values, *string) { b.clock.add(visitLasts) }, ErrCodeExpired, "the sign-in at the provider took too long"},
		"switched off":          {func(url.Values, *string) { b.set(t, map[string]string{"console": "off"}) }, ErrCodeExpired, "the settings were changed"},
		"another issuer": {func(url.Values, *string) { b.set(t, map[string]string{"console.issuer": "https://127.0.0.1:1"}) }, ErrCodeExpired,
			"the settings were changed"},
		"token of another time": {func(url.Values, *string) { b.faulty(t, oidctest.Faults{Nonce: "other"}) }, ErrWrong,
			"the provider's token is not accepted: it answers another sign-in (nonce)"},
		"expired token": {func(url.Values, *string) { b.faulty(t, oidctest.Faults{Lifetime: -time.Hour}) }, ErrWrong,
			"the provider's token is not accepted: it has expired: are the clocks right?"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, cookie := b.visit(t, "id1")
			c.change(answer, &cookie)
			session, _, err := b.finish(t, answer, cookie)
			if !errors.Is(err, c.want) || session != "" {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			b.trail.wants(t, "account.refused:refused:"+c.reason)
			b.faulty(t, oidctest.Faults{})
			b.consoleOn(t)
			// It was good once, and not even that.
			_, _, err = b.finish(t, answer, cookie)
			wants(t, err, ErrCodeExpired)
		})
	}
	if n := len(b.accounts(t)); n != 0 {
		t.Errorf("%d accounts", n)
	}
}

func TestConsoleAnswerIsGoodOnce(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	answer, cookie := b.visit(t, "id1")
	_, _, err := b.finish(t, answer, cookie)
	wants(t, err, nil)
	_, _, err = b.finish(t, answer, cookie)
	wants(t, err, ErrCodeExpired)
}

// The provider's own refusal: it is asked not to show a page, and nobody is
// signed in there.
func TestConsoleProviderRefuses(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	redirect, cookie, err := b.BeginConsole(t.Context(), "", desk)
	wants(t, err, nil)
	back, err := b.op.Browse(redirect+"&prompt=none", "id1")
	wants(t, err, nil)
	_, _, err = b.finish(t, back.Query(), cookie)
	wants(t, err, ErrDenied)
	b.trail.wants(t, "account.refused:refused:denied: login_required")
}

func TestConsoleProviderDown(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	answer, cookie := b.visit(t, "id1")
	if err := b.op.Down(); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.finish(t, answer, cookie)
	wants(t, err, ErrProvider)
	_, _, err = b.BeginConsole(t.Context(), "", desk)
	wants(t, err, ErrProvider)
	if err := b.op.Up(); err != nil {
		t.Fatal(err)
	}
	answer, cookie = b.visit(t, "id1")
	_, _, err = b.finish(t, answer, cookie)
	wants(t, err, nil)
}

// Nobody becomes somebody else by a name.
func TestConsoleNamesThatAreTaken(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	b.addAccount(t, "anna@example.test", fleet.RoleAdministrator)
	answer, cookie := b.visit(t, "id1")
	_, _, err := b.finish(t, answer, cookie)
	wants(t, err, ErrWrong)
	host := strings.TrimPrefix(b.op.Issuer, "https://")
	b.trail.wants(t, "account.refused:refused:a local account is named anna@example.test: rename the person at the provider, or remove the account; by "+host)
	if a := b.account1(t, "anna@example.test"); a.Issuer != "" || a.Hash == "" {
		t.Errorf("%+v", a)
	}

	b.op.SetUser(oidctest.User{ID: "kim1", Name: "Kim Ö", Password: "x", Roles: []string{"See"}})
	b.op.SetUser(oidctest.User{ID: "kim2", Name: "kim o", Password: "x", Roles: []string{"Admin"}})
	answer, cookie = b.visit(t, "kim1")
	_, sess, err := b.finish(t, answer, cookie)
	if err != nil || sess.Account != "kim.o" {
		t.Errorf("%+v, %v", sess, err)
	}
	answer, cookie = b.visit(t, "kim2")
	_, _, err = b.finish(t, answer, cookie)
	wants(t, err, ErrWrong)
	b.trail.wants(t, "account.refused:refused:another person of "+host+" is named kim.o here: remove that account if they are gone; by "+host)
	// A person who is renamed there stays the same one here.
	b.op.SetUser(oidctest.User{ID: "kim1", Name: "Kim Berg", Password: "x", Roles: []string{"See"}})
	answer, cookie = b.visit(t, "kim1")
	_, sess, err = b.finish(t, answer, cookie)
	if err != nil || sess.Account != "kim.o" {
		t.Errorf("%+v, %v", sess, err)
	}
}

func TestConsoleAccountsAreBounded(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	err := b.state.Update(t.Context(), func(tx *state.Tx) error {
		for i := range maxAccounts {
			if err := tx.Accounts().Put(fleet.Account{Name: fmt.Sprintf("p%d", i), Role: fleet.RoleViewer, Issuer: b.op.Issuer, Subject: fmt.Sprint("s", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	wants(t, err, nil)
	answer, cookie := b.visit(t, "id1")
	_, _, err = b.finish(t, answer, cookie)
	wants(t, err, ErrWrong)
	b.trail.wants(t, "account.refused:refused:there are 500 accounts already: remove one first; by "+strings.TrimPrefix(b.op.Issuer, "https://"))
}

// A session is worth what its provider is worth now.
func TestConsoleSessionsEndWithTheProvider(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	b.addAccount(t, "root", fleet.RoleAdministrator)
	local, _ := b.signIn(t, "root")
	answer, cookie := b.visit(t, "id1")
	session, _, err := b.finish(t, answer, cookie)
	wants(t, err, nil)
	wants(t, b.sessionErr(t, session), nil)
	b.set(t, map[string]string{"console": "off"})
	wants(t, b.sessionErr(t, session), ErrNoToken)
	wants(t, b.sessionErr(t, local), nil)
}

// While local passwords are off only break-glass accounts have one, and people of
// the provider never do.
func TestPasswordsBesideAProvider(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	b.addAccount(t, "root", fleet.RoleAdministrator)
	b.addAccount(t, "tom", fleet.RoleAdministrator)
	answer, cookie := b.visit(t, "id1")
	_, _, err := b.finish(t, answer, cookie)
	wants(t, err, nil)
	b.signIn(t, "tom")
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "root", true), nil)
	b.set(t, map[string]string{"console.local": "off"})
	b.signIn(t, "root")
	for _, c := range []struct{ name, password, reason string }{
		{"tom", goodPassword, "local passwords are off, and this is no break-glass account"},
		{"tom", "wrong", "wrong name or password"},
		{"root", "wrong", "wrong name or password"},
		{"anna@example.test", "", "this person signs in with " + strings.TrimPrefix(b.op.Issuer, "https://") + ", not with a password"},
		{"anna@example.test", goodPassword, "this person signs in with " + strings.TrimPrefix(b.op.Issuer, "https://") + ", not with a password"},
	} {
		b.clock.add(time.Hour)
		runs := b.hasher.runs.Load()
		_, _, err := b.SignIn(t.Context(), c.name, c.password, from("192.0.2.9"))
		if !errors.Is(err, ErrWrong) || b.hasher.runs.Load() != runs+1 {
			t.Errorf("%s: %v after %d runs", c.name, err, b.hasher.runs.Load()-runs)
		}
		b.trail.wants(t, "account.refused:refused:"+c.reason)
	}
	b.trail.neverHolds(t, goodPassword)
}

func TestConsoleVisitsAreBounded(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	now := b.clock.now()
	first := &visit{key: "first", addr: "192.0.2.9", started: now}
	b.visits.add(first)
	for i := range 3 * maxVisitsPerAddress {
		b.visits.add(&visit{key: fmt.Sprint("a", i), addr: "192.0.2.1", started: now.Add(time.Duration(i))})
	}
	if n := len(b.visits.byKey); n != maxVisitsPerAddress+1 || b.visits.byKey["first"] == nil {
		t.Errorf("%d visits", n)
	}
	for i := range 2 * maxVisits {
		b.visits.add(&visit{key: fmt.Sprint("b", i), addr: fmt.Sprint(i), started: now.Add(time.Duration(i))})
	}
	if n := len(b.visits.byKey); n != maxVisits {
		t.Errorf("%d visits", n)
	}
	b.visits.prune(now.Add(visitLasts + time.Second))
	if n := len(b.visits.byKey); n != 0 {
		t.Errorf("%d visits are kept", n)
	}
	for range int(startRates[0].burst) {
		_, _, err := b.BeginConsole(t.Context(), "", desk)
		wants(t, err, nil)
	}
	_, _, err := b.BeginConsole(t.Context(), "", desk)
	throttled(t, err)
}

func TestConsoleOrigin(t *testing.T) {
	b := newProviderBench(t)
	b.consoleOn(t)
	redirectOf := func(origin string) string {
		t.Helper()
		address, _, err := b.BeginConsole(t.Context(), origin, desk)
		wants(t, err, nil)
		u, err := url.Parse(address)
		wants(t, err, nil)
		return u.Query().Get("redirect_uri")
	}
	// What is set is taken, else what the browser says.
	if got := redirectOf("https://evil.example"); got != callback {
		t.Errorf("redirect %s", got)
	}
	b.set(t, map[string]string{"console.url": ""})
	if got := redirectOf("https://other.example:8443"); got != "https://other.example:8443"+consoleCallback {
		t.Errorf("redirect %s", got)
	}
	for _, bad := range []string{"", "http://slipway.example", "https://", "https://a@b", "https://a/b", "https://a?b", "javascript:x"} {
		_, _, err := b.BeginConsole(t.Context(), bad, desk)
		invalid(t, err, "origin")
	}
}

func TestAccountName(t *testing.T) {
	for name, want := range map[string]string{
		"Anna": "anna", "Anna Müller": "anna.muller", "ANNA@Example.Test": "anna@example.test", `CONTOSO\anna`: "contoso-anna",
		"anna+x@example.test": "anna-x@example.test", "  a  b ": "a.b", "../../x": "..-..-x", "李": "", "": "", "ｆull": "full",
		strings.Repeat("a", 100): strings.Repeat("a", 64),
	} {
		got := accountName(name)
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if key, err := accountKey(got); got != "" && (err != nil || key != got) {
			t.Errorf("%q is no account name: %v", got, err)
		}
	}
}

func FuzzAccountName(f *testing.F) {
	for _, s := range []string{"Anna Müller", "a+b@c", "\u202e", "İ", strings.Repeat("é", 100), "K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name := accountName(s); name != "" {
			if key, err := accountKey(name); err != nil || key != name {
				t.Errorf("%q gives %q: %v", s, name, err)
			}
		}
	})
}

// Only the right cookie with the right state and no error leads on, and what a
// browser says is not written down.
func FuzzConsoleAnswer(f *testing.F) {
	const state, cookie, issuer = "the-state", "the-cookie", "https://login.example"
	f.Add("state=the-state&code=x", cookie)
	f.Add("state=the-state&error=access_denied&error_description=%0a", cookie)
	f.Add("state=the-state&iss=https%3A%2F%2Flogin.example&code=x", cookie)
	f.Add("state=%00&state=b&code=", "")
	f.Add("code[]=x;state", "x.y")
	settings := fleet.ConsoleSignIn{Enabled: true, Issuer: issuer, ClientID: "slipway"}
	f.Fuzz(func(t *testing.T, raw, kept string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		now := time.Now()
		vs := newVisits()
		vs.add(&visit{key: hashOf(state), cookie: hashOf(cookie), issuer: issuer, clientID: "slipway", started: now})
		code, reason, err := vs.take(query.Get("state")).answer(query, kept, settings, now)
		good := query.Get("state") == state && kept == cookie && query.Get("code") != "" && !query.Has("error") && (!query.Has("iss") || query.Get("iss") == issuer)
		if (err == nil) != good || good != (code != "") || (reason == "") != good {
			t.Errorf("%q with %q: %q, %q, %v", raw, kept, code, reason, err)
		}
		if len(reason) > 200 || strings.ContainsAny(reason, "\r\n\x1b") {
			t.Errorf("reason %q", reason)
		}
		if vs.take(query.Get("state")) != nil {
			t.Error("it is good twice")
		}
	})
}
