package clientcert

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/fleet"
)

// ruleField reads the names that a rule's field stands for. A certificate may have
// several; one of them must match.
type ruleField struct {
	name string
	of   func(c *x509.Certificate) []string
}

// ruleFields are the fields in the order in which they are named to people.
func ruleFields() []ruleField {
	return []ruleField{
		{"subject.cn", func(c *x509.Certificate) []string { return commonNames(c) }},
		{"subject.o", func(c *x509.Certificate) []string { return c.Subject.Organization }},
		{"subject.ou", func(c *x509.Certificate) []string { return c.Subject.OrganizationalUnit }},
		{"san.dns", func(c *x509.Certificate) []string { return c.DNSNames }},
		{"san.email", func(c *x509.Certificate) []string { return c.EmailAddresses }},
		{"san.uri", func(c *x509.Certificate) (out []string) {
			for _, u := range c.URIs {
				out = append(out, u.String())
			}
			return out
		}},
	}
}

func commonNames(c *x509.Certificate) (out []string) {
	cn := asn1.ObjectIdentifier{2, 5, 4, 3}
	for _, n := range c.Subject.Names {
		if text, ok := n.Value.(string); ok && n.Type.Equal(cn) {
			out = append(out, text)
		}
	}
	return out
}

// maxPattern is the longest pattern of a rule, in bytes.
const maxPattern = 255

// ParseRule reads a rule such as san.dns=*.corp.example. '*' stands for any
// characters, none and dots included; letter case does not matter. There is no way
// to write an asterisk that stands for itself. The error says what to write.
func ParseRule(text string) (fleet.CertificateRule, error) {
	if len(text) > maxPattern+32 {
		return fleet.CertificateRule{}, fmt.Errorf("a rule has at most %d characters", maxPattern)
	}
	name, pattern, ok := strings.Cut(text, "=")
	r := fleet.CertificateRule{Field: strings.ToLower(strings.TrimSpace(name)), Pattern: strings.TrimSpace(pattern)}
	if !ok {
		return fleet.CertificateRule{}, fmt.Errorf("%q is no rule: write FIELD=PATTERN, e.g. san.dns=*.corp.example", text)
	}
	if err := ValidateRule(r); err != nil {
		return fleet.CertificateRule{}, err
	}
	return r, nil
}

// ValidateRule says what is wrong with a rule.
func ValidateRule(r fleet.CertificateRule) error {
	switch {
	case fieldOf(r.Field) == nil:
		var names []string
		for _, f := range ruleFields() {
			names = append(names, f.name)
		}
		return fmt.Errorf("%q is no field of a certificate rule: use one of %s", r.Field, strings.Join(names, ", "))
	case r.Pattern == "":
		return fmt.Errorf("%s needs a pattern behind the '=', e.g. san.dns=*.corp.example", r.Field)
	case len(r.Pattern) > maxPattern:
		return fmt.Errorf("a rule's pattern has at most %d characters", maxPattern)
	case !utf8.ValidString(r.Pattern), strings.ContainsFunc(r.Pattern, func(c rune) bool { return !unicode.IsPrint(c) }):
		return fmt.Errorf("the pattern of %s holds characters that cannot be shown: write it on one line", r.Field)
	}
	return nil
}

func fieldOf(name string) *ruleField {
	for _, f := range ruleFields() {
		if f.name == name {
			return &f
		}
	}
	return nil
}

// anyRule reports whether one of the rules matches; without rules every
// certificate does. A rule that is not understood matches nothing.
func anyRule(rules []fleet.CertificateRule, c *x509.Certificate) bool {
	for _, r := range rules {
		if f := fieldOf(r.Field); f != nil {
			for _, name := range f.of(c) {
				if matches(r.Pattern, name) {
					return true
				}
			}
		}
	}
	return len(rules) == 0
}

// matches compares without regard to letter case. Its time is bounded by the
// product of the lengths.
func matches(pattern, name string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	name = strings.ToLower(name)
	if len(parts) == 1 {
		return parts[0] == name
	}
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}
