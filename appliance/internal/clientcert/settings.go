package clientcert

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"slipway/fleet"
)

// ValidatePool says what is wrong with the PEM of the authorities.
func ValidatePool(text string) error {
	n := 0
	for rest := []byte(text); len(strings.TrimSpace(string(rest))) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New("use PEM certificates only (-----BEGIN CERTIFICATE-----)")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("certificate %d cannot be read: %w", n+1, err)
		}
		if !c.IsCA {
			return fmt.Errorf("certificate %d (%s) is no authority", n+1, c.Subject.CommonName)
		}
	}
	return nil
}

// ValidateCRL says what is wrong with uploaded revocation lists.
func ValidateCRL(text string) error {
	for rest := []byte(text); len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "X509 CRL" {
			return errors.New("use PEM revocation lists only (-----BEGIN X509 CRL-----)")
		}
		if _, err := x509.ParseRevocationList(block.Bytes); err != nil {
			return fmt.Errorf("the revocation list cannot be read: %w", err)
		}
	}
	return nil
}

// ParseRule reads a rule such as san.dns=*.corp.example.
func ParseRule(text string) (fleet.CertificateRule, error) {
	name, pattern, ok := strings.Cut(text, "=")
	name, pattern = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(pattern)
	switch name {
	case "subject.cn", "subject.o", "subject.ou", "san.dns", "san.email", "san.uri":
	default:
		ok = false
	}
	if !ok || pattern == "" {
		return fleet.CertificateRule{}, fmt.Errorf("%q is no rule: use e.g. san.dns=*.corp.example, subject.ou=Deploy", text)
	}
	return fleet.CertificateRule{Field: name, Pattern: pattern}, nil
}
