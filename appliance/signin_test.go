package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/appliance/internal/oidc/oidctest"
)

// authority is a CA that makes client certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue makes a client certificate; change may spoil it.
func (a *authority) issue(name string, change func(*x509.Certificate)) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// signInRules is every combination of the four settings (a anonymous, c certificate,
// e Entra ID, p a passcode is set), with what a booted device and an installed
// system are offered, in order.
var signInRules = []struct{ settings, booted, installed string }{
	{"", "p", "p"}, {"p", "p", "p"},
	{"e", "e", "e"}, {"ep", "e", "ep"},
	{"c", "p", "c"}, {"cp", "p", "cp"},
	{"ce", "e", "ce"}, {"cep", "e", "cep"},
	{"a", "a", "a"}, {"ap", "ap", "ap"},
	{"ae", "ae", "ae"}, {"aep", "ae", "aep"},
	{"ac", "a", "ac"}, {"acp", "ap", "acp"},
	{"ace", "ae", "ace"}, {"acep", "ae", "acep"},
}

// TestEveryCombinationOfSignIn asks the real API, with a real OpenID provider and
// real certificates, what is offered, and tries all four mechanisms each time.
func TestEveryCombinationOfSignIn(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	provider, err := oidctest.Start(oidctest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	ca := newAuthority(t, "Devices")
	caFile := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, []byte(ca.pem()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "auth", "set", "certificate.ca="+caFile, "entra.issuer="+provider.Issuer, "entra.client_id=slipway", "entra.roles=Deploy")
	name := wire.ServerName(installationOf(t, r))
	machine := insecure(ca.issue("pc1.corp.example", nil), name)
	words := map[rune]string{'a': wire.Anonymous, 'c': wire.Certificate, 'e': wire.Entra, 'p': wire.Passcode}
	onOff := map[bool]string{true: "on", false: "off"}

	for _, rule := range signInRules {
		has := func(letter string) bool { return strings.Contains(rule.settings, letter) }
		r.must("", "auth", "set", "--yes", "anonymous="+onOff[has("a")], "certificate="+onOff[has("c")], "entra="+onOff[has("e")])
		if has("p") {
			r.must("slipway-lab\n", "passcode", "set", "--force")
		} else {
			r.must("", "passcode", "clear")
		}
		for environment, offered := range map[string]string{wire.LinuxPE: rule.booted, wire.WinPE: rule.booted, wire.FullOS: rule.installed} {
			var m wire.Mechanisms
			r.request(machine, "GET", "/api/v1/auth/mechanisms?environment="+environment, "", nil, &m)
			var want []string
			for _, letter := range offered {
				want = append(want, words[letter])
			}
			if !slices.Equal(m.Mechanisms, want) {
				t.Errorf("settings %q, %s: offered %v, want %v", rule.settings, environment, m.Mechanisms, want)
			}
			for letter, word := range words {
				in := any(wire.SignIn{Device: testDevice, Environment: environment})
				if letter == 'p' {
					in = wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice, Environment: environment}
				}
				status := http.StatusForbidden
				switch {
				case letter == 'p' && strings.ContainsRune(offered, 'p') && !has("p"):
					status = http.StatusUnauthorized // asked for ever, never accepted
				case strings.ContainsRune(offered, letter):
					status = http.StatusOK
				case letter == 'p' && !has("p") && !(has("e") && environment != wire.FullOS):
					status = http.StatusUnauthorized // allowed here, and none is set
				}
				if code := r.request(machine, "POST", "/api/v1/auth/"+word, "", in, nil); code != status {
					t.Errorf("settings %q, %s, %s: %d, want %d", rule.settings, environment, word, code, status)
				}
			}
		}
		if has("p") && (has("e") || has("c")) {
			r.passcodeSwitchedOff(machine, rule.settings)
		}
	}
}

// passcodeSwitchedOff: with passcode.fullos=off an installed system neither is
// offered the passcode beside Entra ID or certificates, nor may use it.
func (r *running) passcodeSwitchedOff(machine *http.Client, settings string) {
	r.t.Helper()
	r.must("", "auth", "set", "passcode.fullos=off")
	defer r.must("", "auth", "set", "passcode.fullos=on")
	var m wire.Mechanisms
	r.request(machine, "GET", "/api/v1/auth/mechanisms?environment="+wire.FullOS, "", nil, &m)
	in := wire.PasscodeSignIn{Passcode: "slipway-lab", Device: testDevice, Environment: wire.FullOS}
	if code := r.request(machine, "POST", "/api/v1/auth/passcode", "", in, nil); code != http.StatusForbidden || slices.Contains(m.Mechanisms, wire.Passcode) {
		r.t.Errorf("settings %q, passcode.fullos=off: offered %v, and the passcode answers %d", settings, m.Mechanisms, code)
	}
}

// TestSignInByCertificate signs an installed system in, and tells each bad
// certificate apart in the audit log only.
func TestSignInByCertificate(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	ca, foreign := newAuthority(t, "Devices"), newAuthority(t, "Somebody")
	revoked := ca.issue("stolen.corp.example", nil)
	leaf, err := x509.ParseCertificate(revoked.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}}}, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"ca.pem": ca.pem(), "crl.pem": string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.must("", "auth", "set", "certificate=on", "certificate.ca="+filepath.Join(dir, "ca.pem"), "certificate.crl="+filepath.Join(dir, "crl.pem"), "certificate.rules=san.dns=*.corp.example")
	if out := r.must("", "auth", "test", "certificate"); !strings.Contains(out, "Devices") {
		t.Errorf("the test of the settings says %q", out)
	}
	name := wire.ServerName(installationOf(t, r))
	in := wire.SignIn{Device: testDevice, Environment: wire.FullOS}
	var details []string
	for reason, cert := range map[string]*tls.Certificate{
		"revoked":            revoked,
		"expired":            ca.issue("old.corp.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		"not yet valid":      ca.issue("new.corp.example", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }),
		"client auth":        ca.issue("web.corp.example", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
		"unknown authority":  foreign.issue("pc1.corp.example", nil),
		"no rule":            ca.issue("pc1.elsewhere.example", nil),
		"no certificate was": nil,
	} {
		var p wire.Problem
		if code := r.request(insecure(cert, name), "POST", "/api/v1/auth/certificate", "", in, &p); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", reason, code)
		}
		details = append(details, p.Detail+p.Type+p.Title)
		if log := r.must("", "audit", "list", "--action", "certificate.refused"); !strings.Contains(strings.ToLower(log), reason) {
			t.Errorf("the audit log does not say %q:\n%s", reason, log)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(details)))) != 1 {
		t.Errorf("the client learns the reason: %q", details)
	}
	good := insecure(ca.issue("pc1.corp.example", nil), name)
	var token wire.Token
	if code := r.request(good, "POST", "/api/v1/auth/certificate", "", in, &token); code != http.StatusOK {
		t.Fatalf("a good certificate answers %d", code)
	}
	if code := r.request(good, "GET", "/api/v1/task-sequences", token.Token, nil, nil); code != http.StatusOK {
		t.Errorf("its token answers %d", code)
	}
	if code := r.request(insecure(ca.issue("pc1.corp.example", nil), name), "GET", "/api/v1/task-sequences", token.Token, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("its token with another certificate of the same name answers %d", code)
	}
	booted := wire.SignIn{Device: testDevice, Environment: wire.LinuxPE}
	if code := r.request(good, "POST", "/api/v1/auth/certificate", "", booted, nil); code != http.StatusForbidden {
		t.Errorf("a booted device with a certificate answers %d", code)
	}
}

// TestSignInSettingsOverTheAPI: a script changes them with a token of the right
// role, what opens the appliance is confirmed, and secrets never come back.
func TestSignInSettingsOverTheAPI(t *testing.T) {
	r := start(t, t.TempDir())
	client := insecure(nil, "")
	technician := strings.TrimSpace(r.must("", "token", "add", "tech", "--role", "technician"))
	administrator := strings.TrimSpace(r.must("", "token", "add", "admin", "--role", "administrator"))
	change := func(token string, confirm bool, settings map[string]string) (int, wire.Problem) {
		var p wire.Problem
		code := r.request(client, "PATCH", "/api/v1/admin/auth", token, api.ChangeAuth{Settings: settings, Confirm: confirm}, &p)
		return code, p
	}
	anonymous := map[string]string{"anonymous": "on"}
	if code, _ := change(technician, true, anonymous); code != http.StatusForbidden {
		t.Errorf("a technician: %d", code)
	}
	if code, p := change(administrator, false, anonymous); code != http.StatusConflict || !strings.HasSuffix(p.Type, ":confirm") {
		t.Errorf("without a confirmation: %d %+v", code, p)
	}
	if code, p := change(administrator, false, map[string]string{"entra": "on"}); code != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Field != "entra.tenant" {
		t.Errorf("half a setting: %d %+v", code, p)
	}
	if code, p := change(administrator, true, map[string]string{"console.local": "off"}); code != http.StatusConflict || !strings.Contains(p.Detail, "lock out") {
		t.Errorf("a lockout: %d %+v", code, p)
	}
	if code, _ := change(administrator, true, map[string]string{"anonymous": "on", "entra.client_secret": "very-s3cret"}); code != http.StatusOK {
		t.Errorf("confirmed: %d", code)
	}
	var seen api.AuthSettings
	r.request(client, "GET", "/api/v1/admin/auth", technician, nil, &seen)
	text, _ := json.Marshal(seen)
	if strings.Contains(string(text), "very-s3cret") || len(seen.Warnings) == 0 || !strings.Contains(seen.Warning, "anyone") || len(seen.Preview) != 3 {
		t.Errorf("%s", text)
	}
	var m wire.Mechanisms
	r.request(client, "GET", "/api/v1/auth/mechanisms", "", nil, &m)
	if !slices.Equal(m.Mechanisms, []string{wire.Anonymous}) || m.Warning == "" {
		t.Errorf("a device is told %+v", m)
	}
	for _, want := range []string{"signin.changed", "on, was off"} {
		if log := r.must("", "audit", "list"); !strings.Contains(log, want) || strings.Contains(log, "very-s3cret") {
			t.Errorf("the audit log lacks %q, or tells a secret:\n%s", want, log)
		}
	}
	show := r.must("", "auth", "show")
	for _, want := range []string{"Warning: Anonymous", "anonymous", "asked for nothing", "entra.client_secret"} {
		if !strings.Contains(show, want) {
			t.Errorf("auth show lacks %q:\n%s", want, show)
		}
	}
}
