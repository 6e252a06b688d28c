package graph

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the portal shows this thumbprint
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"slipway/fleet"
)

// The kinds of settings.
const (
	KindText   = "text"
	KindSecret = "secret" // can be set, never read
)

// Where Microsoft's public cloud is.
const (
	DefaultAuthority = "https://login.microsoftonline.com"
	DefaultEndpoint  = "https://graph.microsoft.com"
)

const maxSetting = 64 << 10 // bytes of one value

// The purposes that secrets are sealed for.
const (
	purposeSecret = "graph.client-secret"
	purposeKey    = "graph.private-key"
)

// Key is one setting as `slipway graph set KEY=VALUE`, the admin API and the console
// name it.
type Key struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Help  string `json:"help"`
	Value string `json:"value"` // as it stands; of a secret only what may be known
}

// Permission is what the application needs in the tenant.
type Permission struct {
	Name string `json:"name"`
	Type string `json:"type"` // Application
	Why  string `json:"why"`
}

// Permissions lists what the application needs, to be granted with the consent of an
// administrator of the tenant.
func Permissions() []Permission {
	return []Permission{{Name: permission, Type: "Application",
		Why: "Register hardware hashes with Windows Autopilot, set group tag and user, and see whether a profile is assigned"}}
}

const permission = "DeviceManagementServiceConfig.ReadWrite.All"

// Keys lists every setting with its value.
func Keys(v fleet.Graph) []Key {
	secret := ""
	if len(v.SealedSecret) > 0 {
		secret = "set"
	}
	return []Key{
		{"tenant", KindText, "Directory (tenant) id", v.Tenant},
		{"client_id", KindText, "Application (client) id of the app registration", v.ClientID},
		{"client_secret", KindSecret, "Client secret of the app registration", secret},
		{"certificate", KindSecret, "Instead of the secret: a certificate with its RSA key, PEM; its public half is uploaded to the app registration", describe(v.Certificate)},
		{"authority", KindText, "Where tokens come from; empty: " + DefaultAuthority, v.Authority},
		{"endpoint", KindText, "Where Microsoft Graph is; empty: " + DefaultEndpoint, v.Endpoint},
	}
}

// describe tells of a certificate what the portal shows of it.
func describe(text string) string {
	if text == "" {
		return ""
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "set"
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "set"
	}
	thumb := sha1.Sum(c.Raw) //nolint:gosec // see above
	return fmt.Sprintf("set, thumbprint %s, valid until %s", strings.ToUpper(hex.EncodeToString(thumb[:])), c.NotAfter.UTC().Format(time.DateOnly))
}

var idForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func checkID(value string) error {
	if value != "" && !idForm.MatchString(value) {
		return errors.New("use the id, e.g. 00000000-0000-0000-0000-000000000000; the app registration's overview shows it")
	}
	return nil
}

// checkOrigin wants an address without a path, with TLS unless it is this machine.
func checkOrigin(value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("use the address without a path, e.g. https://graph.microsoft.us")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback()) {
		return nil
	}
	return errors.New("the address must begin with https://")
}

func checkSecret(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.New("use the secret's value as the portal shows it once, without spaces")
	}
	return nil
}

// pair reads a certificate and its key off PEM text, in any order. The key must be an
// RSA key of the certificate.
func pair(text string) (certificate, key string, err error) {
	var leaf *x509.Certificate
	var private *rsa.PrivateKey
	var certPEM, keyPEM bytes.Buffer
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "", "", errors.New("use PEM text: -----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----")
		}
		switch {
		case block.Type == "CERTIFICATE" && leaf == nil:
			if leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
				return "", "", fmt.Errorf("the certificate cannot be read: %w", err)
			}
			err = pem.Encode(&certPEM, &pem.Block{Type: block.Type, Bytes: block.Bytes})
		case block.Type == "CERTIFICATE": // of the chain; only the first is used
		case block.Type == "PRIVATE KEY" || block.Type == "RSA PRIVATE KEY":
			if private, err = parseKey(block.Bytes); err != nil {
				return "", "", err
			}
			err = pem.Encode(&keyPEM, &pem.Block{Type: block.Type, Bytes: block.Bytes})
		case strings.Contains(block.Type, "ENCRYPTED"):
			return "", "", errors.New("the private key is encrypted: give it without a password, the appliance seals it")
		default:
			return "", "", fmt.Errorf("there is a %q, and only a certificate and its private key are used", plain(block.Type))
		}
		if err != nil {
			return "", "", err
		}
	}
	switch public, ok := leafKey(leaf); {
	case leaf == nil:
		return "", "", errors.New("the certificate is missing: -----BEGIN CERTIFICATE-----")
	case private == nil:
		return "", "", errors.New("the certificate's private key is missing: -----BEGIN PRIVATE KEY-----")
	case !ok || !public.Equal(&private.PublicKey):
		return "", "", errors.New("the private key is not the certificate's")
	}
	return certPEM.String(), keyPEM.String(), nil
}

func leafKey(c *x509.Certificate) (*rsa.PublicKey, bool) {
	if c == nil {
		return nil, false
	}
	k, ok := c.PublicKey.(*rsa.PublicKey)
	return k, ok
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the private key cannot be read") // the cause may quote it
	}
	private, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not an RSA key, which is what Entra ID takes")
	}
	return private, nil
}
