package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"slipway/fleet"
)

const caYears = 20

// oldestClock is a time that has passed for certain: a clock before it is wrong.
var oldestClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Sealer is the keyring that protects the CA's key at rest.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// keyPurpose binds a sealed key to this use and installation.
func keyPurpose(installation string) string { return "pki.ca-key." + installation }

// authority is a CA that can sign.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newInstallation makes an id and its first CA.
func newInstallation(sealer Sealer, now time.Time) (fleet.Installation, error) {
	id := newID()
	a, err := newAuthority(id, sealer, now)
	if err != nil {
		return fleet.Installation{}, err
	}
	return fleet.Installation{ID: id, CreatedAt: now.UTC(), Authorities: []fleet.Authority{a}}, nil
}

// newID is 16 characters of lower-case base32 (RFC 4648): 80 random bits.
func newID() string {
	b := make([]byte, 10)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

func newAuthority(id string, sealer Sealer, now time.Time) (fleet.Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fleet.Authority{}, fmt.Errorf("pki: make CA key: %w", err)
	}
	from := now
	if from.Before(oldestClock) {
		from = oldestClock
	}
	serial := newSerial()
	template := &x509.Certificate{
		SerialNumber: serial,
		// Each has a name of its own: chains are found by name first (RFC 5280 6.1).
		Subject:               pkix.Name{CommonName: fmt.Sprintf("Slipway %s CA %04x", id, serial.Bytes()[:2])},
		NotBefore:             time.Unix(0, 0).UTC(),
		NotAfter:              from.UTC().AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fleet.Authority{}, fmt.Errorf("pki: make CA certificate: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fleet.Authority{}, fmt.Errorf("pki: encode CA key: %w", err)
	}
	sealed, err := sealer.Seal(plain, keyPurpose(id))
	if err != nil {
		return fleet.Authority{}, fmt.Errorf("pki: seal CA key: %w", err)
	}
	return fleet.Authority{Certificate: der, SealedKey: sealed, CreatedAt: now.UTC()}, nil
}

// openAuthority unseals a CA and checks that key and certificate belong together.
func openAuthority(id string, a fleet.Authority, sealer Sealer) (authority, error) {
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return authority{}, fmt.Errorf("pki: read CA certificate: %w", err)
	}
	plain, err := sealer.Open(a.SealedKey, keyPurpose(id))
	if err != nil {
		return authority{}, fmt.Errorf("pki: open CA key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return authority{}, fmt.Errorf("pki: read CA key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return authority{}, errors.New("pki: the CA's key does not belong to its certificate")
	}
	return authority{cert: cert, key: key}, nil
}

// newSerial is 127 random bits: positive and within 20 octets (RFC 5280 4.1.2.2).
func newSerial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand ends the program itself before this
	}
	return n.Add(n, big.NewInt(1))
}
