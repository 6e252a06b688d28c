package clientcert

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// What the test button says.
func TestCheck(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	issuing := e.authority("Issuing", &root)
	old := e.authority("Old", nil, func(c *x509.Certificate) { c.NotAfter = e.clock.now().Add(-time.Hour) })
	stranger := e.authority("Root", nil)
	w := newWeb(t, e.list(root, []pair{e.machine("a", &root), e.machine("b", &root)}))
	broken := newWeb(t, nil)
	broken.set(nil, http.StatusForbidden)
	stale := func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = e.clock.now().Add(-48*time.Hour), e.clock.now().Add(-time.Hour)
	}
	both := root.pem() + issuing.pem()
	until := e.clock.now().AddDate(10, 0, 0).Format("2006-01-02 15:04") + " UTC"
	for name, c := range map[string]struct {
		s    fleet.CertificateSignIn
		want []string // lines that must be there
		err  string
	}{
		"nothing": {fleet.CertificateSignIn{}, nil, "no authority is configured"},
		"pool only": {fleet.CertificateSignIn{CAs: both},
			[]string{"2 authorities:", "CN=Root, valid until " + until, "CN=Issuing, valid until " + until,
				"no revocation list: revoked certificates are accepted until they expire", "no rules: every certificate of these authorities is accepted"}, ""},
		"rules": {fleet.CertificateSignIn{CAs: both, Rules: []fleet.CertificateRule{{Field: "san.dns", Pattern: "*.x"}}},
			[]string{"1 rule, one of which must match: san.dns=*.x"}, ""},
		"expired": {fleet.CertificateSignIn{CAs: old.pem()}, []string{"1 authority:", "CN=Old, expired since 2026-11-21 07:00 UTC"}, "none of the authorities is valid now"},
		"by URL": {fleet.CertificateSignIn{CAs: both, CRLURL: w.URL, CRL: crlPEM(e.list(issuing, nil))},
			[]string{"revocation list of CN=Root, 2 entries, next update 2026-11-22 08:00 UTC", "revocation list of CN=Issuing, 0 entries, next update 2026-11-22 08:00 UTC"}, ""},
		"one is missing": {fleet.CertificateSignIn{CAs: both, CRLURL: w.URL},
			[]string{"no current revocation list of CN=Issuing: certificates that it signed are refused"}, ""},
		"broken URL": {fleet.CertificateSignIn{CAs: both, CRLURL: broken.URL}, nil, "could not be fetched: the server answers 403 Forbidden"},
		"list expired": {fleet.CertificateSignIn{CAs: root.pem(), CRL: crlPEM(e.list(root, nil, stale))},
			[]string{"revocation list of CN=Root, 0 entries, next update 2026-11-21 07:00 UTC"}, "the revocation list of CN=Root has expired"},
		"list of another key": {fleet.CertificateSignIn{CAs: root.pem(), CRL: crlPEM(e.list(stranger, nil))}, nil, "is not signed by the authority of that name"},
		"list of a stranger":  {fleet.CertificateSignIn{CAs: issuing.pem(), CRL: crlPEM(e.list(root, nil))}, nil, "every certificate is refused"},
		"unreadable list":     {fleet.CertificateSignIn{CAs: root.pem(), CRL: "x"}, nil, "use revocation lists in PEM"},
	} {
		lines, err := e.verifier("").Check(background(), c.s)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q (lines %q)", name, err, c.err, lines)
		}
		for _, want := range c.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: no line %q among %q", name, want, lines)
			}
		}
	}
}

// The button fetches now, whatever the back-off says.
func TestCheckFetchesNow(t *testing.T) {
	e := newEstate(t)
	root := e.authority("Root", nil)
	w := newWeb(t, nil)
	w.set(nil, http.StatusNotFound)
	s := fleet.CertificateSignIn{CAs: root.pem(), CRLURL: w.URL}
	v := e.verifier("")
	if _, err := v.Check(background(), s); err == nil {
		t.Error("no error")
	}
	w.set(e.list(root, nil), http.StatusOK)
	if _, err := v.Check(background(), s); err != nil {
		t.Error(err)
	}
}
