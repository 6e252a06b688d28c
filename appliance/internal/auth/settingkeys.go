package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"slipway/appliance/internal/clientcert"
	"slipway/fleet"
)

// The kinds of settings, which say how a value is written.
const (
	KindSwitch = "switch" // on, off
	KindText   = "text"
	KindList   = "list" // comma separated
	KindPEM    = "pem"
	KindSecret = "secret" // can be set, never read
)

const (
	maxSetting = 256 << 10 // bytes of one value
	maxList    = 50
	anyRole    = "*"
)

// The purposes that client secrets are sealed for.
const (
	purposeEntraSecret   = "signin.entra-secret"
	purposeConsoleSecret = "signin.console-secret"
)

// SignInKey is one setting as `slipway auth set KEY=VALUE`, the admin API and the
// console name it.
type SignInKey struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Help  string `json:"help"`
	Value string `json:"value"` // as it stands; "set" for a secret that is set
}

// signInKey knows how a setting is read and written.
type signInKey struct {
	SignInKey
	purpose string // of a secret
	show    func(fleet.SignIn) string
	set     func(*fleet.SignIn, string) error
}

// SignInKeys lists every setting with its value.
func SignInKeys(v fleet.SignIn) []SignInKey {
	var out []SignInKey
	for _, k := range signInKeys() {
		k.Value = k.show(v)
		out = append(out, k.SignInKey)
	}
	return out
}

func keyNames() []string {
	var out []string
	for _, k := range signInKeys() {
		out = append(out, k.Name)
	}
	return out
}

// field finds the place of a setting.
type field[T any] func(*fleet.SignIn) *T

func signInKeys() []signInKey {
	type s = fleet.SignIn
	return []signInKey{
		toggle("anonymous", "Bypass authentication: nobody is asked, anyone may deploy", func(v *s) *bool { return &v.Anonymous }),
		toggle("certificate", "Installed systems may sign in with a client certificate", func(v *s) *bool { return &v.Certificate.Enabled }),
		pemKey("certificate.ca", "Authorities that client certificates must chain to, PEM", clientcert.ValidatePool, func(v *s) *string { return &v.Certificate.CAs }),
		pemKey("certificate.crl", "Revocation lists, PEM", clientcert.ValidateCRL, func(v *s) *string { return &v.Certificate.CRL }),
		text("certificate.crl_url", "Where a revocation list is fetched", checkURL("http", "https"), func(v *s) *string { return &v.Certificate.CRLURL }),
		ruleKey(),
		toggle("entra", "Devices sign in with Entra ID, or another OpenID provider that has the device flow", func(v *s) *bool { return &v.Entra.Enabled }),
		text("entra.tenant", "Directory (tenant) id of Entra ID", checkTenant, func(v *s) *string { return &v.Entra.Tenant }),
		text("entra.issuer", "Issuer of another provider; empty: Entra ID", checkIssuer, func(v *s) *string { return &v.Entra.Issuer }),
		text("entra.client_id", "Application (client) id", checkWord, func(v *s) *string { return &v.Entra.ClientID }),
		secret("entra.client_secret", "Client secret, for providers that ask for one", purposeEntraSecret, func(v *s) *[]byte { return &v.Entra.SealedSecret }),
		list("entra.roles", "App roles, one of which a person needs; *: whoever the provider lets in", func(v *s) *[]string { return &v.Entra.Roles }),
		text("entra.role_claim", "Claim that holds the roles (default roles)", checkWord, func(v *s) *string { return &v.Entra.RoleClaim }),
		pemKey("entra.ca", "Authorities of a provider of your own, PEM", checkCertificates, func(v *s) *string { return &v.Entra.CAs }),
		toggle("passcode.fullos", "An installed system may use the variable Passcode beside Entra ID and certificates", func(v *s) *bool { return &v.PasscodeInFullOS }),
		toggle("console", "People may sign in at the console with an OpenID provider", func(v *s) *bool { return &v.Console.Enabled }),
		text("console.name", "What the button says: Sign in with ...", checkName, func(v *s) *string { return &v.Console.Name }),
		text("console.issuer", "Issuer of the console's provider", checkIssuer, func(v *s) *string { return &v.Console.Issuer }),
		text("console.client_id", "The console's client id", checkWord, func(v *s) *string { return &v.Console.ClientID }),
		secret("console.client_secret", "The console's client secret, when it has one", purposeConsoleSecret, func(v *s) *[]byte { return &v.Console.SealedSecret }),
		text("console.role_claim", "Claim that holds the roles (default roles)", checkWord, func(v *s) *string { return &v.Console.RoleClaim }),
		list("console.viewers", "Roles that make a viewer", func(v *s) *[]string { return &v.Console.Viewers }),
		list("console.technicians", "Roles that make a technician", func(v *s) *[]string { return &v.Console.Technicians }),
		list("console.administrators", "Roles that make an administrator", func(v *s) *[]string { return &v.Console.Administrators }),
		text("console.url", "Address of the console as browsers name it, e.g. https://slipway.example:8443", checkOrigin, func(v *s) *string { return &v.Console.URL }),
		pemKey("console.ca", "Authorities of the console's provider, PEM", checkCertificates, func(v *s) *string { return &v.Console.CAs }),
		inverted("console.local", "Local accounts may use their password; off: only break-glass accounts", func(v *s) *bool { return &v.Console.LocalOff }),
	}
}

func toggle(name, help string, at field[bool]) signInKey {
	return signInKey{SignInKey: SignInKey{Name: name, Kind: KindSwitch, Help: help},
		show: func(v fleet.SignIn) string { return onOff(*at(&v)) },
		set: func(v *fleet.SignIn, text string) (err error) {
			*at(v), err = parseSwitch(text)
			return err
		}}
}

// inverted is a switch that is kept the other way round, so that the zero value is
// its default.
func inverted(name, help string, at field[bool]) signInKey {
	return signInKey{SignInKey: SignInKey{Name: name, Kind: KindSwitch, Help: help},
		show: func(v fleet.SignIn) string { return onOff(!*at(&v)) },
		set: func(v *fleet.SignIn, text string) error {
			on, err := parseSwitch(text)
			*at(v) = !on
			return err
		}}
}

func text(name, help string, check func(string) error, at field[string]) signInKey {
	return signInKey{SignInKey: SignInKey{Name: name, Kind: KindText, Help: help},
		show: func(v fleet.SignIn) string { return *at(&v) },
		set: func(v *fleet.SignIn, value string) error {
			*at(v) = value
			if value == "" {
				return nil
			}
			if len(value) > 2048 {
				return errors.New("this is too long")
			}
			return check(value)
		}}
}

func pemKey(name, help string, check func(string) error, at field[string]) signInKey {
	k := text(name, help, check, at)
	k.Kind = KindPEM
	k.set = func(v *fleet.SignIn, value string) error {
		*at(v) = value
		if value == "" {
			return nil
		}
		return check(value)
	}
	return k
}

func secret(name, help, purpose string, at field[[]byte]) signInKey {
	return signInKey{SignInKey: SignInKey{Name: name, Kind: KindSecret, Help: help}, purpose: purpose,
		show: func(v fleet.SignIn) string {
			if len(*at(&v)) > 0 {
				return "set"
			}
			return ""
		},
		set: func(v *fleet.SignIn, sealed string) error {
			*at(v) = nil
			if sealed != "" {
				*at(v) = []byte(sealed)
			}
			return nil
		}}
}

func list(name, help string, at field[[]string]) signInKey {
	return signInKey{SignInKey: SignInKey{Name: name, Kind: KindList, Help: help},
		show: func(v fleet.SignIn) string { return strings.Join(*at(&v), ", ") },
		set: func(v *fleet.SignIn, value string) error {
			words, err := splitList(value)
			*at(v) = words
			return err
		}}
}

// ruleKey is the list of certificate rules.
func ruleKey() signInKey {
	return signInKey{SignInKey: SignInKey{Name: "certificate.rules", Kind: KindList,
		Help: "Names, one of which a certificate needs, e.g. san.dns=*.corp.example, subject.ou=Deploy; empty: every certificate of the authorities"},
		show: func(v fleet.SignIn) string {
			var out []string
			for _, r := range v.Certificate.Rules {
				out = append(out, r.Field+"="+r.Pattern)
			}
			return strings.Join(out, ", ")
		},
		set: func(v *fleet.SignIn, value string) error {
			words, err := splitList(value)
			if err != nil {
				return err
			}
			v.Certificate.Rules = nil
			for _, w := range words {
				r, err := clientcert.ParseRule(w)
				if err != nil {
					return err
				}
				v.Certificate.Rules = append(v.Certificate.Rules, r)
			}
			return nil
		}}
}

func splitList(value string) ([]string, error) {
	var out []string
	for w := range strings.SplitSeq(value, ",") {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		if err := checkName(w); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	if len(out) > maxList {
		return nil, fmt.Errorf("at most %d entries are taken", maxList)
	}
	return out, nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func parseSwitch(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "on", "true", "yes", "1":
		return true, nil
	case "off", "false", "no", "0":
		return false, nil
	}
	return false, errors.New("use on or off")
}

var tenantForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// checkTenant takes the id only. A domain's tokens name the id as their issuer, and
// the endpoints common, organizations and consumers let everybody in.
func checkTenant(value string) error {
	if !tenantForm.MatchString(value) {
		return errors.New("use the directory (tenant) id, e.g. 00000000-0000-0000-0000-000000000000; the app registration's overview shows it")
	}
	return nil
}

func checkWord(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) || len(value) > 512 {
		return errors.New("use one word without spaces")
	}
	return nil
}

func checkName(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(value) > 256 {
		return errors.New("use text on one line, at most 256 bytes")
	}
	return nil
}

// checkURL takes absolute URLs without credentials and fragment.
func checkURL(schemes ...string) func(string) error {
	return func(value string) error {
		u, err := url.Parse(value)
		if err == nil && u.Host != "" && u.User == nil && u.Fragment == "" {
			for _, s := range schemes {
				if u.Scheme == s {
					return nil
				}
			}
		}
		return fmt.Errorf("use an address that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

// checkIssuer wants TLS, except for a provider on this machine.
func checkIssuer(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("use the provider's issuer, e.g. https://login.example/realm")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("the issuer must begin with https://")
}

func checkOrigin(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("use the address without a path, e.g. https://slipway.example:8443")
	}
	return nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkCertificates wants PEM certificates and nothing else: a private key that
// came along would be kept, and shown.
func checkCertificates(value string) error {
	n := 0
	for rest := []byte(value); len(strings.TrimSpace(string(rest))) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New("use PEM certificates only (-----BEGIN CERTIFICATE-----)")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d cannot be read: %w", n+1, err)
		}
	}
	return nil
}

// validate checks the settings as a whole.
func validate(v fleet.SignIn) error {
	need := func(field, detail string) error { return &InvalidError{Field: field, Detail: detail} }
	c, e, w := v.Certificate, v.Entra, v.Console
	switch {
	case c.Enabled && c.CAs == "":
		return need("certificate.ca", "Name the authorities first: certificate.ca takes their PEM certificates.")
	case e.Enabled && e.Tenant == "" && e.Issuer == "":
		return need("entra.tenant", "Name the tenant, or entra.issuer for another provider.")
	case e.Enabled && e.ClientID == "":
		return need("entra.client_id", "Name the application (client) id of the app registration.")
	case e.Enabled && len(e.Roles) == 0:
		return need("entra.roles", "Name the app role that people need to deploy; * stands for whoever the provider lets in.")
	case w.Enabled && w.Issuer == "":
		return need("console.issuer", "Name the provider's issuer.")
	case w.Enabled && w.ClientID == "":
		return need("console.client_id", "Name the console's client id.")
	case w.Enabled && len(w.Viewers)+len(w.Technicians)+len(w.Administrators) == 0:
		return need("console.administrators", "Name the roles that make viewers, technicians or administrators.")
	}
	return nil
}
