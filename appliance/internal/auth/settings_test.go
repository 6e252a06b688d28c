package auth

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// set changes sign-in settings, confirmed.
func (b *bench) set(t *testing.T, changes map[string]string) {
	t.Helper()
	if err := b.ChangeSignIn(t.Context(), Actor{Name: "ada"}, changes, true); err != nil {
		t.Fatal(err)
	}
}

func invalid(t *testing.T, err error, field string) {
	t.Helper()
	var e *InvalidError
	if !errors.As(err, &e) || e.Field != field || e.Detail == "" {
		t.Errorf("err = %v, want something about %s", err, field)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		field   string
		changes map[string]string
	}{
		{"entra.tenant", map[string]string{"entra": "on"}},
		{"entra.client_id", map[string]string{"entra": "on", "entra.issuer": "https://login.example"}},
		{"entra.roles", map[string]string{"entra": "on", "entra.issuer": "https://login.example", "entra.client_id": "x"}},
		{"entra.tenant", map[string]string{"entra.tenant": "common"}},
		{"entra.tenant", map[string]string{"entra.tenant": "contoso.example"}},
		{"entra.issuer", map[string]string{"entra.issuer": "http://login.example"}},
		{"entra.issuer", map[string]string{"entra.issuer": "https://user:password@login.example"}},
		{"entra.issuer", map[string]string{"entra.issuer": "login.example"}},
		{"entra.client_id", map[string]string{"entra.client_id": "two words"}},
		{"entra.roles", map[string]string{"entra.roles": "a\x1b[2Jb"}},
		{"entra.roles", map[string]string{"entra.roles": strings.Repeat("r,", 60)}},
		{"entra.ca", map[string]string{"entra.ca": "not PEM"}},
		{"certificate.ca", map[string]string{"certificate": "on"}},
		{"certificate.ca", map[string]string{"certificate.ca": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}},
		{"certificate.crl_url", map[string]string{"certificate.crl_url": "file:///etc/passwd"}},
		{"certificate.rules", map[string]string{"certificate.rules": "nonsense"}},
		{"console.url", map[string]string{"console.url": "http://slipway.example"}},
		{"console.issuer", map[string]string{"console": "on"}},
		{"anonymous", map[string]string{"anonymous": "maybe"}},
		{"no.such", map[string]string{"no.such": "1"}},
		{"certificate.ca", map[string]string{"certificate.ca": strings.Repeat("x", maxSetting+1)}},
	} {
		invalid(t, b.ChangeSignIn(t.Context(), Actor{}, c.changes, true), c.field)
	}
	v, err := b.SignInSettings(t.Context())
	if err != nil || !reflect.DeepEqual(v, defaultSignIn()) {
		t.Errorf("something was taken: %+v, %v", v, err)
	}
}

func TestSettingsAreAllOrNone(t *testing.T) {
	b := newBench(t)
	err := b.ChangeSignIn(t.Context(), Actor{}, map[string]string{"entra.client_id": "x", "entra.issuer": "nonsense"}, true)
	invalid(t, err, "entra.issuer")
	if v, _ := b.SignInSettings(t.Context()); v.Entra.ClientID != "" {
		t.Error("half of a refused change was kept")
	}
}

// What is shown can be set again; every key has its own place.
func TestEverySettingIsReadAsItWasSet(t *testing.T) {
	b := newBench(t)
	values := map[string]string{
		"entra.tenant": "00000000-0000-0000-0000-00000000000a", "entra.issuer": "https://login.example/a", "entra.client_id": "client-1", "entra.client_secret": "s3cret-one",
		"entra.roles": "Deploy, Admin", "entra.role_claim": "groups",
		"passcode.fullos": "off", "certificate.crl_url": "https://ca.example/list.crl", "certificate.rules": "san.dns=*.corp.example, subject.ou=Deploy",
		"console": "on", "console.name": "Contoso", "console.issuer": "https://login.example/b", "console.client_id": "client-2", "console.client_secret": "s3cret-two",
		"console.role_claim": "wids", "console.viewers": "V", "console.technicians": "T1, T2", "console.administrators": "A", "console.url": "https://slipway.example:8443",
	}
	b.set(t, values)
	v, err := b.SignInSettings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range SignInKeys(v) {
		want, ok := values[k.Name]
		if k.Kind == KindSecret && ok {
			want = "set"
		}
		if ok && k.Value != want {
			t.Errorf("%s is %q, want %q", k.Name, k.Value, want)
		}
		if k.Help == "" {
			t.Errorf("%s has no help", k.Name)
		}
	}
	plain, err := seal{}.Open(v.Entra.SealedSecret, purposeEntraSecret)
	if err != nil || string(plain) != "s3cret-one" {
		t.Errorf("the client secret: %q, %v", plain, err)
	}
	if bytes.Contains(v.Console.SealedSecret, []byte("s3cret-two")) {
		t.Error("a client secret is kept unsealed")
	}
	b.trail.neverHolds(t, "s3cret")
}

func TestSpellingsOfSettings(t *testing.T) {
	b := newBench(t)
	b.set(t, map[string]string{"Entra.ClientId": "x", "anonymous.enabled": "TRUE"})
	if v, _ := b.SignInSettings(t.Context()); v.Entra.ClientID != "x" || !v.Anonymous {
		t.Errorf("%+v", v)
	}
}

func TestWhatOpensTheApplianceIsConfirmed(t *testing.T) {
	b := newBench(t)
	anyone := map[string]string{"entra": "on", "entra.issuer": "https://login.example", "entra.client_id": "x", "entra.roles": "*"}
	for field, changes := range map[string]map[string]string{"anonymous": {"anonymous": "on"}, "entra.roles": anyone} {
		var confirm *ConfirmError
		if err := b.ChangeSignIn(t.Context(), Actor{}, changes, false); !errors.As(err, &confirm) || confirm.Field != field {
			t.Errorf("%v", err)
		}
		if v, _ := b.SignInSettings(t.Context()); v.Anonymous || v.Entra.Enabled {
			t.Error("it was switched on without a confirmation")
		}
		b.set(t, changes)
		wants(t, b.ChangeSignIn(t.Context(), Actor{}, changes, false), nil) // it is on already
		b.set(t, map[string]string{"anonymous": "off", "entra": "off"})
	}
}

func TestSettingsThatLockAdministratorsOutAreRefused(t *testing.T) {
	b := newBench(t)
	off := map[string]string{"console.local": "off"}
	provider := map[string]string{"console": "on", "console.issuer": "https://login.example", "console.client_id": "x", "console.administrators": "Admin"}
	try := func(changes map[string]string) error { return b.ChangeSignIn(t.Context(), Actor{}, changes, true) }
	wants(t, b.AddAccount(t.Context(), Actor{}, "ada", goodPassword, fleet.RoleAdministrator), nil)
	wants(t, try(off), ErrLockout) // no provider
	b.set(t, provider)
	wants(t, try(off), ErrLockout) // no break-glass account
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "ada", true), nil)
	wants(t, try(off), nil)
	wants(t, try(map[string]string{"console": "off"}), ErrLockout)
	wants(t, try(map[string]string{"console.administrators": "", "console.viewers": "V"}), ErrLockout)
	wants(t, b.SetBreakGlass(t.Context(), Actor{}, "ada", false), ErrLockout)
	if err := b.RemoveAccount(t.Context(), Actor{}, "ada"); err == nil {
		t.Error("the last break-glass account is gone")
	}
	wants(t, try(map[string]string{"console": "off", "console.local": "on"}), nil)
}

func TestChangesAreAudited(t *testing.T) {
	b := newBench(t)
	b.set(t, map[string]string{"anonymous": "on"})
	if e := b.trail.wants(t, "signin.changed:ok:on, was off"); e.Object != "anonymous" || e.Actor != "ada" {
		t.Errorf("%+v", e)
	}
	n := len(b.trail.actions())
	b.set(t, map[string]string{"anonymous": "on"})
	if len(b.trail.actions()) != n {
		t.Error("a change that changes nothing was noted")
	}
}

func TestWarnings(t *testing.T) {
	b := newBench(t)
	warns := func(word string) {
		t.Helper()
		list, err := b.Warnings(t.Context())
		if err != nil || word == "" && len(list) > 0 || !strings.Contains(strings.Join(list, "\n"), word) {
			t.Errorf("%q, %v; want %q", list, err, word)
		}
	}
	warns("nothing is accepted")
	b.setPasscode(t, "quartz lantern 88 moss river")
	if err := b.state.Update(t.Context(), func(tx *state.Tx) error { // as if it had been strong
		p, err := tx.Passcodes().Get("default")
		p.Forced = false
		return errors.Join(err, tx.Passcodes().Put(p))
	}); err != nil {
		t.Fatal(err)
	}
	warns("")
	b.set(t, map[string]string{"anonymous": "on"})
	warns("anyone on the network")
	b.set(t, map[string]string{"anonymous": "off", "entra": "on", "entra.issuer": "https://login.example", "entra.client_id": "x", "entra.roles": "Deploy"})
	warns("only what it says of itself")
	b.set(t, map[string]string{"passcode.fullos": "off"})
	warns("")
	b.setPasscode(t, "1234")
	b.set(t, map[string]string{"entra": "off"})
	warns("easy to guess")
}

func TestTestsOfMechanisms(t *testing.T) {
	b := newBench(t)
	for m, ok := range map[fleet.Mechanism]bool{fleet.MechanismAnonymous: true, fleet.MechanismPasscode: false, fleet.MechanismEntra: false, MechanismConsole: false} {
		got, err := b.TestSignIn(t.Context(), Actor{Name: "ada"}, m)
		if err != nil || got.OK != ok || len(got.Lines) == 0 {
			t.Errorf("%s: %+v, %v", m, got, err)
		}
	}
	_, err := b.TestSignIn(t.Context(), Actor{}, "magic")
	invalid(t, err, "mechanism")
}
