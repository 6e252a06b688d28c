package graph

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// Test tries the settings out as they stand: a token, its permissions, and a read of
// Autopilot's devices. Nothing is changed in the tenant.
func (s *Service) Test(ctx context.Context, actor, address string) (fleet.GraphTest, error) {
	v, err := s.Settings(ctx)
	if err != nil {
		return fleet.GraphTest{}, err
	}
	lines, failed := s.check(ctx, v)
	out := fleet.GraphTest{OK: failed == nil, Lines: lines}
	outcome := "ok"
	if failed != nil {
		outcome = "error"
		out.Lines = append(out.Lines, advice(failed))
	}
	s.note(ctx, fleet.AuditEntry{Actor: actor, Address: address, Action: "graph.tested", Outcome: outcome, Object: "Microsoft Graph"})
	return out, nil
}

func (s *Service) check(ctx context.Context, v fleet.Graph) (lines []string, err error) {
	c, err := s.connect(v)
	if err != nil {
		return nil, err
	}
	defer c.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 2*callTime)
	defer cancel()
	if block, _ := pem.Decode([]byte(v.Certificate)); block != nil {
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil && s.Now().After(leaf.NotAfter) {
			return nil, fmt.Errorf("%w: the certificate was valid until %s", ErrSignIn, leaf.NotAfter.UTC().Format(time.DateOnly))
		}
		lines = append(lines, "Certificate: "+describe(v.Certificate)+".")
	}
	token, err := c.tokens.token(ctx)
	if err != nil {
		return lines, err
	}
	lines = append(lines, "Sign-in: the tenant gave the application a token.")
	if roles, ok := rolesOf(token); ok {
		if !slices.Contains(roles, permission) {
			has := plain(strings.Join(roles, ", "))
			if has == "" {
				has = "none"
			}
			return lines, fmt.Errorf("%w: it lacks %s; it has %s", ErrDenied, permission, has)
		}
		lines = append(lines, "Permission: "+permission+" is granted.")
	}
	if err := c.call(ctx, http.MethodGet, devicesPath+"?$top=1", nil, nil); err != nil {
		return lines, err
	}
	return append(lines, "Microsoft Graph: Autopilot's devices can be read."), nil
}

// advice is what failed, with what to do about it.
func advice(err error) string {
	text := sentence(err)
	switch {
	case errors.Is(err, ErrDenied):
		return text + " Add the application permission " + permission + " to the app registration, and let an administrator of the tenant grant consent."
	case errors.Is(err, ErrNotSet):
		return text + " Set it with: slipway graph set KEY=VALUE."
	}
	return text
}
