package auth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"slipway/appliance/internal/oidc"
	"slipway/fleet"
)

// errNoProvider says what is missing, for the test button.
var errNoProvider = errors.New("issuer (or tenant) and client id are not set yet")

// providerConfig is how the provider of the settings is asked, its secret opened.
func (s *Service) providerConfig(e fleet.EntraSignIn, purpose string) (oidc.Config, error) {
	cfg := oidc.Config{Issuer: issuerOf(e), ClientID: e.ClientID, RoleClaim: e.RoleClaim, CAs: e.CAs}
	if cfg.Issuer == "" || cfg.ClientID == "" {
		return cfg, errNoProvider
	}
	if len(e.SealedSecret) > 0 {
		plain, err := s.sealer.Open(e.SealedSecret, purpose)
		if err != nil {
			return cfg, fmt.Errorf("the client secret cannot be opened: %w", err)
		}
		cfg.Secret = string(plain)
	}
	return cfg, nil
}

func issuerOf(e fleet.EntraSignIn) string {
	if e.Issuer == "" && e.Tenant != "" {
		return entraIssuer(e.Tenant)
	}
	return e.Issuer
}

// consoleProvider is the console's provider in the same words.
func consoleProvider(c fleet.ConsoleSignIn) fleet.EntraSignIn {
	return fleet.EntraSignIn{Issuer: c.Issuer, ClientID: c.ClientID, SealedSecret: c.SealedSecret, RoleClaim: c.RoleClaim, CAs: c.CAs}
}

// hostOf is an issuer in short, for people.
func hostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return issuer
	}
	return u.Host
}

// matchRole finds a role that is asked for among those a person has. With anyRole
// whoever the provider lets in will do.
func matchRole(wanted, has []string) (role string, ok bool) {
	for _, w := range wanted {
		if w == anyRole || slices.Contains(has, w) {
			return w, true
		}
	}
	return "", false
}

// roleText is a person's roles for the audit log.
func roleText(roles []string) string {
	switch {
	case len(roles) == 0:
		return "no role"
	case len(roles) > 10:
		return fmt.Sprintf("%s and %d more", strings.Join(roles[:10], ", "), len(roles)-10)
	}
	return strings.Join(roles, ", ")
}
