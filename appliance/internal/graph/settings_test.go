package graph

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/graph/graphtest"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func values(v fleet.Graph) map[string]string {
	out := map[string]string{}
	for _, k := range Keys(v) {
		out[k.Name] = k.Value
	}
	return out
}

func TestSettingsAreKeptAndSecretsSealed(t *testing.T) {
	b := newBench(t)
	_, pair := ownCertificate(t, time.Now().Add(time.Hour))
	b.set(t, map[string]string{"Tenant": "AAAAAAAA-0000-0000-0000-000000000001", "clientId": "aaaaaaaa-0000-0000-0000-000000000002", "client_secret": " s3cret~value ",
		"certificate": pair, "authority": "https://login.microsoftonline.us/", "endpoint": "https://graph.microsoft.us"})
	v, err := b.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := values(v)
	if got["tenant"] != "aaaaaaaa-0000-0000-0000-000000000001" || got["client_id"] == "" || got["client_secret"] != "set" ||
		!strings.HasPrefix(got["certificate"], "set, thumbprint ") || got["authority"] != "https://login.microsoftonline.us" || got["endpoint"] != "https://graph.microsoft.us" {
		t.Errorf("%v", got)
	}
	var kept []byte
	if err := b.store.View(func(tx *state.Tx) error {
		g, err := tx.Graph().Get(state.Self)
		kept = append(append(kept, g.SealedSecret...), g.SealedKey...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 || bytes.Contains(kept, []byte("s3cret")) || bytes.Contains(kept, []byte("PRIVATE KEY")) {
		t.Error("a secret is kept as it is")
	}
	told := b.trail.told()
	if strings.Contains(told, "s3cret") || strings.Contains(told, "KEY") || !strings.Contains(told, "graph.changed client_secret ok changed") {
		t.Errorf("the audit log:\n%s", told)
	}
	for _, e := range b.trail.entries {
		if e.Actor != "ada" || e.Address != "192.0.2.9" {
			t.Errorf("an entry lacks who did it, or from where: %+v", e)
		}
	}
	b.set(t, map[string]string{"certificate": "", "client_secret": ""})
	if v, _ := b.Settings(t.Context()); len(v.SealedKey)+len(v.SealedSecret)+len(v.Certificate) > 0 || v.Tenant == "" {
		t.Errorf("%+v", v)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	b := newBench(t)
	_, pair := ownCertificate(t, time.Now().Add(time.Hour))
	_, other := ownCertificate(t, time.Now().Add(time.Hour))
	key, cert, _ := strings.Cut(pair, "-----BEGIN CERTIFICATE-----")
	cert = "-----BEGIN CERTIFICATE-----" + cert
	otherKey, _, _ := strings.Cut(other, "-----BEGIN CERTIFICATE-----")
	for _, c := range []struct{ field, value, says string }{
		{"tenant", "contoso.example", "use the id"},
		{"client_id", "x", "use the id"},
		{"client_secret", "two words", "without spaces"},
		{"authority", "http://login.example", "https://"},
		{"endpoint", "https://graph.example/v1.0", "without a path"},
		{"endpoint", "https://user:pw@graph.example", "without a path"},
		{"certificate", "nonsense", "use PEM"},
		{"certificate", cert, "private key is missing"},
		{"certificate", key, "certificate is missing"},
		{"certificate", otherKey + cert, "not the certificate's"},
		{"certificate", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "encrypted"},
		{"certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"},
		{"certificate", strings.Repeat("x", maxSetting+1), "longer than"},
		{"secret", "x", "no such setting"},
	} {
		var e *InvalidError
		err := b.Change(t.Context(), "ada", "192.0.2.9", map[string]string{c.field: c.value, "authority2": ""})
		if c.field != "secret" {
			err = b.Change(t.Context(), "ada", "192.0.2.9", map[string]string{c.field: c.value})
		}
		if !errors.As(err, &e) || !strings.Contains(strings.ToLower(e.Detail), strings.ToLower(c.says)) {
			t.Errorf("%s=%.20s: %v", c.field, c.value, err)
		}
	}
	if err := b.Change(t.Context(), "ada", "192.0.2.9", map[string]string{"client_id": "aaaaaaaa-0000-0000-0000-000000000002", "tenant": "x"}); err == nil {
		t.Error("half of a change was taken")
	}
	if v, _ := b.Settings(t.Context()); v.ClientID != "" || len(b.trail.entries) != 0 {
		t.Errorf("something was kept: %+v, %s", v, b.trail.told())
	}
}

func TestTheTestButton(t *testing.T) {
	lines := func(b *bench, ok bool) string {
		t.Helper()
		got, err := b.Test(t.Context(), "ada", "192.0.2.9")
		text := strings.Join(got.Lines, "\n")
		if err != nil || got.OK != ok {
			t.Errorf("%v, %v, %s", got.OK, err, text)
		}
		return text
	}
	has := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	b := newBench(t)
	has(lines(b, false), "tenant, client_id, client_secret or certificate is missing")
	b, s := connected(t)
	has(lines(b, true), "Permission: "+graphtest.Permission+" is granted.")
	s.Roles = []string{"User.Read.All"}
	has(lines(b, false), "it lacks "+graphtest.Permission+"; it has User.Read.All. Add the application permission")
	s.Roles = nil
	has(lines(b, false), "it has none")
	s.Roles = []string{graphtest.Permission}

	s.Secret = "another~one"
	if text := lines(b, false); !strings.Contains(text, "AADSTS7000215") || strings.Contains(text, "kept~Secret") {
		t.Errorf("the echo of a wrong secret: %q", text)
	}
	s.Fail(graphtest.Failure{Path: "token", Status: 500, Body: "<html>"})
	has(lines(b, false), "No answer from Microsoft Graph: ask for a token: HTTP 500")
	if log := b.tell.String() + b.trail.told(); strings.Contains(log, "kept~Secret") || !strings.Contains(log, "graph.tested Microsoft Graph error") {
		t.Errorf("the logs:\n%s", log)
	}
}

func TestSignInWithACertificate(t *testing.T) {
	b, s := connected(t)
	leaf, pair := ownCertificate(t, time.Now().Add(time.Hour))
	s.Certificate = leaf
	b.set(t, map[string]string{"certificate": pair})
	for range 2 { // a new assertion each time
		if got, err := b.Test(t.Context(), "ada", "192.0.2.9"); err != nil || !got.OK || !strings.Contains(strings.Join(got.Lines, "\n"), "thumbprint") {
			t.Errorf("%+v, %v", got, err)
		}
	}
	s.Certificate, _ = ownCertificate(t, time.Now().Add(time.Hour))
	if got, _ := b.Test(t.Context(), "ada", "192.0.2.9"); got.OK || !strings.Contains(strings.Join(got.Lines, "\n"), "AADSTS700027") {
		t.Errorf("with a certificate that the tenant does not know: %+v", got)
	}
	_, old := ownCertificate(t, time.Now().Add(-time.Hour))
	b.set(t, map[string]string{"certificate": old})
	if got, _ := b.Test(t.Context(), "ada", "192.0.2.9"); got.OK || !strings.Contains(strings.Join(got.Lines, "\n"), "was valid until") {
		t.Errorf("with one that has expired: %+v", got)
	}
}
