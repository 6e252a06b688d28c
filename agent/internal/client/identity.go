package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"time"
)

// NewIdentity makes the agent's key pair with a self-signed certificate. The
// appliance binds tokens to the certificate's SHA-256, nothing in it is read:
// its times are wide because the clock may not be set yet.
func NewIdentity() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the agent's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "slipway agent"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the agent's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Binding is what the appliance binds tokens to: hex SHA-256 of the certificate.
// It is empty for no certificate.
func Binding(c tls.Certificate) string {
	if len(c.Certificate) == 0 {
		return ""
	}
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// KeepIdentity reads the identity kept at path or makes one and keeps it there.
// In a boot image the path lies in memory: the identity outlives a crash of the
// agent but not the boot. An identity that cannot be kept is used all the same.
func KeepIdentity(path string) (tls.Certificate, error) {
	if text, err := os.ReadFile(path); err == nil {
		if c, err := tls.X509KeyPair(text, text); err == nil {
			return c, nil
		}
	}
	c, err := NewIdentity()
	if err != nil {
		return c, err
	}
	_ = SaveIdentity(path, c)
	return c, nil
}

// SaveIdentity keeps an identity that NewIdentity made at path, for its owner only.
func SaveIdentity(path string, c tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fmt.Errorf("write the agent's key: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the agent's key: %w", err)
	}
	return nil
}
