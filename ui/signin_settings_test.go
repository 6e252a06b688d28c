package ui

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// settingsPost sends the form of a card, with files.
func (v *visitor) settingsPost(fields map[string]string, files map[string][]byte) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.postFiles("/admin/security/settings", fields, files)
}

// postFiles sends a form with files.
func (v *visitor) postFiles(target string, fields map[string]string, files map[string][]byte) *httptest.ResponseRecorder {
	v.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			v.t.Fatal(err)
		}
	}
	if err := w.WriteField("csrf", v.csrf); err != nil {
		v.t.Fatal(err)
	}
	for name, body := range files {
		part, err := w.CreateFormFile(name, "upload")
		if err != nil {
			v.t.Fatal(err)
		}
		if _, err := part.Write(body); err != nil {
			v.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		v.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "https://slipway.test"+target, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return v.send(r)
}

// changed are the settings the last form changed, as the audit log has them.
func (f *fake) changed(from int) (names []string) {
	for _, e := range f.audit[from:] {
		if e.Action == "signin.changed" {
			names = append(names, e.Object)
		}
	}
	return names
}

// TestSettingsForm: what is wrong stands beside its field with what was typed;
// what is right is kept, and only what differs is a change.
func TestSettingsForm(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	entra := map[string]string{"card": "entra", "entra": "on", "entra.tenant": "common", "entra.client_id": "1b2c", "entra.roles": "Slipway.Deploy,\n Other ,", "entra.client_secret": ""}
	res := v.settingsPost(entra, nil)
	body := res.Body.String()
	if res.Code != http.StatusUnprocessableEntity || f.settings["entra"] == "on" {
		t.Errorf("a tenant everybody shares: %d", res.Code)
	}
	for _, want := range []string{`id="entra-tenant-err"`, "Name your own tenant", `aria-invalid="true"`, `value="common"`, `value="1b2c"`, `id="card-entra" open`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	entra["entra.tenant"] = "contoso.example"
	before := len(f.audit)
	if res := v.settingsPost(entra, nil); res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/admin/security?done=signin-saved&open=entra#card-entra" {
		t.Errorf("saved: %d to %q", res.Code, res.Header().Get("Location"))
	}
	if f.settings["entra.roles"] != "Slipway.Deploy, Other" || f.settings["entra"] != "on" {
		t.Errorf("kept: %v", f.settings)
	}
	if got := f.changed(before); len(got) != 4 {
		t.Errorf("changed %v, not the four that differ", got)
	}
	if res := v.settingsPost(entra, nil); !strings.Contains(res.Header().Get("Location"), "signin-same") {
		t.Errorf("the same again: %q", res.Header().Get("Location"))
	}
	entra["entra"] = "off"
	if res := v.settingsPost(entra, nil); res.Code != http.StatusSeeOther || f.settings["entra"] != "off" || f.settings["entra.tenant"] != "contoso.example" {
		t.Errorf("switched off: %d, %v", res.Code, f.settings)
	}
}

// TestSecretsAreNeverShown: a secret is set, kept by an empty field, replaced and
// removed; no page ever holds it.
func TestSecretsAreNeverShown(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	secret := "client-secret-5f31"
	post := func(fields map[string]string) {
		t.Helper()
		res := v.settingsPost(fields, nil)
		if res.Code != http.StatusSeeOther || strings.Contains(res.Body.String(), secret) {
			t.Errorf("%v: %d", fields, res.Code)
		}
	}
	post(map[string]string{"card": "console", "console.client_secret": secret})
	if body := v.get("/admin/security?open=console").Body.String(); strings.Contains(body, secret) || !strings.Contains(body, "Set. Type a new one to replace it.") {
		t.Error("the page shows the secret, or not that it is set")
	}
	post(map[string]string{"card": "console", "console.client_secret": "", "console.name": "Contoso"})
	if f.settings["console.client_secret"] != secret {
		t.Error("an empty field took the secret away")
	}
	res := v.settingsPost(map[string]string{"card": "entra", "entra.tenant": "common", "entra.client_secret": secret}, nil)
	if res.Code != http.StatusUnprocessableEntity || strings.Contains(res.Body.String(), secret) {
		t.Errorf("beside an error the secret came back: %d", res.Code)
	}
	post(map[string]string{"card": "console", "console.client_secret": "", "console.client_secret:remove": "yes"})
	if f.settings["console.client_secret"] != "" {
		t.Error("the secret was not removed")
	}
}

// TestAuthorities: Windows writes certificates and revocation lists in binary;
// they are kept as PEM, and the page tells what they hold.
func TestAuthorities(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	cert, crl := authority(t)
	res := v.settingsPost(map[string]string{"card": "certificate", "certificate": "on", "certificate.ca": "", "certificate.crl": ""}, nil)
	if res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), `id="certificate-ca-err"`) {
		t.Errorf("without an authority: %d", res.Code)
	}
	res = v.settingsPost(map[string]string{"card": "certificate", "certificate.ca": ""}, map[string][]byte{"certificate.ca:file": []byte("MZ this is a program")})
	if res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "holds no certificate") {
		t.Errorf("a program: %d", res.Code)
	}
	res = v.settingsPost(map[string]string{"card": "certificate", "certificate": "on", "certificate.ca": "", "certificate.crl": ""},
		map[string][]byte{"certificate.ca:file": cert, "certificate.crl:file": crl})
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(f.settings["certificate.ca"], "-----BEGIN CERTIFICATE-----") || !strings.HasPrefix(f.settings["certificate.crl"], "-----BEGIN X509 CRL-----") {
		t.Fatalf("binary files: %d, %v", res.Code, f.settings)
	}
	body := v.get("/admin/security?open=certificate").Body.String()
	for _, want := range []string{"Contoso Issuing CA, valid until", "1 revoked certificate, next one due", "1 authority"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(body, strings.Split(f.settings["certificate.ca"], "\n")[1]) {
		t.Error("the page repeats the certificate")
	}
	kept := f.settings["certificate.ca"]
	v.settingsPost(map[string]string{"card": "certificate", "certificate": "on", "certificate.ca": "", "certificate.rules": "san.dns=*.corp.example"}, nil)
	if f.settings["certificate.ca"] != kept || f.settings["certificate.rules"] == "" {
		t.Error("an empty file field took the authorities away")
	}
	v.settingsPost(map[string]string{"card": "certificate", "certificate": "off", "certificate.ca": "", "certificate.ca:remove": "yes"}, nil)
	if f.settings["certificate.ca"] != "" {
		t.Error("the authorities were not removed")
	}
}

// authority is a certificate and a revocation list in DER.
func authority(t testing.TB) (cert, crl []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Contoso Issuing CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	if cert, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(9), RevocationTime: time.Now()}}}
	if crl, err = x509.CreateRevocationList(rand.Reader, list, template, key); err != nil {
		t.Fatal(err)
	}
	return cert, crl
}

// FuzzAuthorities: no file makes the page fail, and what was binary is PEM after.
func FuzzAuthorities(f *testing.F) {
	cert, crl := authority(f)
	for _, seed := range [][]byte{cert, crl, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), []byte("-----BEGIN X-----\nAA==\n-----END X-----"), append(cert, cert...), []byte("-----BEGIN "), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		text, ok := toPEM(file)
		if !ok {
			return
		}
		lines := describePEM(text)
		if binary := !bytes.Contains(file, []byte("-----BEGIN ")); binary && len(lines) == 0 || len(lines) > 51 {
			t.Errorf("%q: %d lines", text, len(lines))
		}
	})
}

// TestAnonymousAsksFirst: it takes a second step that says what it means, and
// every page warns until it is off again.
func TestAnonymousAsksFirst(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	res := v.post("/admin/security/settings", map[string]string{"card": "anonymous", "anonymous": "on"})
	body := res.Body.String()
	if f.settings["anonymous"] == "on" || res.Code != http.StatusOK || !strings.Contains(body, "erase every disk") || !strings.Contains(body, `name="confirm" value="yes"`) {
		t.Fatalf("the first step: %d, %q", res.Code, f.settings["anonymous"])
	}
	if !strings.Contains(body, `<input type="hidden" name="anonymous" value="on">`) {
		t.Error("the second step does not carry the change")
	}
	if res := v.post("/admin/security/settings", map[string]string{"card": "anonymous", "anonymous": "on", "confirm": "yes"}); res.Code != http.StatusSeeOther || f.settings["anonymous"] != "on" {
		t.Fatalf("the second step: %d", res.Code)
	}
	for _, p := range pages {
		if res := v.get(p.path); res.Code != http.StatusNotFound && !strings.Contains(res.Body.String(), "Anonymous sign-in is on:") {
			t.Errorf("%s does not warn", p.path)
		}
	}
	if !strings.Contains(v.get("/admin/security").Body.String(), "On: anyone may deploy") {
		t.Error("the card does not say so")
	}
	if res := v.post("/admin/security/settings", map[string]string{"card": "anonymous", "anonymous": "off"}); res.Code != http.StatusSeeOther || f.settings["anonymous"] != "off" {
		t.Errorf("off: %d", res.Code)
	}
}

// TestConfirmCarriesNoSecret: a secret that was typed beside a change that has to
// be confirmed is typed again, not put into the page.
func TestConfirmCarriesNoSecret(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	res := v.settingsPost(map[string]string{"card": "entra", "entra": "on", "entra.tenant": "contoso.example", "entra.roles": "*", "entra.client_secret": "hunter2-secret"}, nil)
	body := res.Body.String()
	if res.Code != http.StatusOK || strings.Contains(body, "hunter2-secret") || !strings.Contains(body, `type="password" name="entra.client_secret"`) {
		t.Fatalf("%d", res.Code)
	}
	res = v.post("/admin/security/settings", map[string]string{"card": "entra", "confirm": "yes", "entra": "on", "entra.tenant": "contoso.example", "entra.roles": "*", "entra.client_secret": "hunter2-secret"})
	if res.Code != http.StatusSeeOther || f.settings["entra.roles"] != "*" || f.settings["entra.client_secret"] != "hunter2-secret" {
		t.Errorf("%d, %v", res.Code, f.settings)
	}
}

// TestLockoutIsRefusedBesideTheField: nobody can switch off the last way in.
func TestLockoutIsRefusedBesideTheField(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	res := v.post("/admin/security/settings", map[string]string{"card": "local", "console.local": "off"})
	body := res.Body.String()
	if res.Code != http.StatusUnprocessableEntity || f.settings["console.local"] != "on" {
		t.Fatalf("%d, %q", res.Code, f.settings["console.local"])
	}
	at := strings.Index(body, `id="console-local-err"`)
	if at < 0 || !strings.Contains(body[at:min(at+400, len(body))], "would lock out the administrators") || !strings.Contains(body, `id="card-local" open`) {
		t.Error("the reason does not stand beside the switch")
	}
}

// TestTestButton: what was found stands on the card, and what was typed and not
// saved is still there.
func TestTestButton(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	body := v.post("/admin/security/test", map[string]string{"card": "entra", "mechanism": "entra", "entra.tenant": "typed.example"}).Body.String()
	for _, want := range []string{"The test failed.", "client id are not set yet", `value="typed.example"`, "is not saved yet", `id="card-entra" open`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if f.settings["entra.tenant"] != "" {
		t.Error("testing saved something")
	}
	f.settings["entra.client_id"] = "1b2c"
	if body := v.post("/admin/security/test", map[string]string{"mechanism": "entra"}).Body.String(); !strings.Contains(body, "The device code flow is offered.") || strings.Contains(body, "is not saved yet") {
		t.Error("a test that goes well is not told as one")
	}
	if res := v.post("/admin/security/test", map[string]string{"mechanism": "nonsense"}); res.Code != http.StatusNotFound {
		t.Errorf("nonsense: %d", res.Code)
	}
}
