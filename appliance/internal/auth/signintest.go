package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/fleet"
)

// MechanismConsole names the console's provider in TestSignIn; it is none of the
// devices' mechanisms.
const MechanismConsole fleet.Mechanism = "console"

// TestSignIn tries a mechanism's settings out, as they stand, whether it is
// switched on or not. Nothing is changed. *InvalidError for an unknown one.
func (s *Service) TestSignIn(ctx context.Context, actor Actor, m fleet.Mechanism) (fleet.SignInTest, error) {
	v, err := s.SignInSettings(ctx)
	if err != nil {
		return fleet.SignInTest{}, err
	}
	var lines []string
	var failed error
	switch m {
	case fleet.MechanismAnonymous:
		lines = []string{"Anonymous sign-in is " + onOff(v.Anonymous) + "."}
	case fleet.MechanismCertificate:
		lines, failed = s.certificates.Check(ctx, v.Certificate)
	case fleet.MechanismEntra:
		lines, failed = s.checkProvider(ctx, v.Entra, purposeEntraSecret)
	case MechanismConsole:
		lines, failed = s.checkProvider(ctx, consoleProvider(v.Console), purposeConsoleSecret)
	case fleet.MechanismPasscode:
		lines, failed = s.checkPasscodes(ctx)
	default:
		return fleet.SignInTest{}, &InvalidError{Field: "mechanism", Detail: "Use anonymous, certificate, entra, passcode or console."}
	}
	if failed != nil {
		lines = append(lines, failed.Error())
	}
	outcome := "works"
	if failed != nil {
		outcome = "does not work"
	}
	s.done(ctx, actor, "signin.tested", string(m), outcome)
	return fleet.SignInTest{Mechanism: m, OK: failed == nil, Lines: lines}, nil
}

// checkProvider looks at an OpenID provider.
func (s *Service) checkProvider(ctx context.Context, e fleet.EntraSignIn, purpose string) ([]string, error) {
	cfg, err := s.providerConfig(e, purpose)
	if err != nil {
		return nil, err
	}
	return s.providers.Check(ctx, cfg, purpose == purposeEntraSecret)
}

// entraIssuer is the issuer of a tenant of Entra ID (Microsoft identity platform
// 2.0).
func entraIssuer(tenant string) string {
	return "https://login.microsoftonline.com/" + strings.ToLower(tenant) + "/v2.0"
}

// checkPasscodes says what is set, and runs the hash once.
func (s *Service) checkPasscodes(ctx context.Context) (lines []string, err error) {
	list, err := s.Passcodes(ctx)
	if err != nil {
		return nil, err
	}
	live := 0
	for _, p := range list {
		name := p.Name
		if name == "" {
			name = "default"
		}
		switch {
		case p.Expired:
			lines = append(lines, fmt.Sprintf("%s has expired.", name))
			continue
		case p.MaxUses > 0 && p.Uses >= p.MaxUses:
			lines = append(lines, fmt.Sprintf("%s is used up.", name))
			continue
		case p.Old:
			lines = append(lines, fmt.Sprintf("%s is %s old: time for a new one.", name, p.Age))
		default:
			lines = append(lines, fmt.Sprintf("%s is set, about %.0f bits strong, %s old.", name, p.Bits, p.Age))
		}
		live++
	}
	started := s.now()
	if _, err := s.newHash(ctx, "a passcode that nobody typed"); err != nil {
		return lines, err
	}
	lines = append(lines, fmt.Sprintf("Checking one takes %d ms here.", s.now().Sub(started).Milliseconds()))
	if live == 0 {
		return lines, errors.New("no passcode is set: nothing is accepted")
	}
	return lines, nil
}
