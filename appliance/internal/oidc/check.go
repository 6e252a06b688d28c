package oidc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// Check looks whether the provider can be used, for the test button: what was
// tried and found, a line each. Nothing that is remembered is used. A device flow
// is started, which nobody ends; for the console a code is redeemed that no
// provider knows: what is said of it shows whether the client is accepted. err is
// ErrUnavailable, wrapped with the reason that ended it.
func (c *Clients) Check(ctx context.Context, cfg Config, deviceFlow bool) (lines []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTime)
	defer cancel()
	fresh := NewClients(c.now)
	defer fresh.CloseIdle()
	seen := &sight{}
	p, err := fresh.provider(httptrace.WithClientTrace(ctx, seen.trace()), cfg)
	lines = seen.found()
	if err == nil {
		lines = append(lines, "Discovery: the provider answers as "+plain(cfg.Issuer)+".")
		checks := []func(context.Context, Config, *provider) ([]string, error){fresh.checkKeys, fresh.checkCode}
		if deviceFlow {
			checks[1] = fresh.checkDevice
		}
		for i := 0; i < len(checks) && err == nil; i++ {
			var more []string
			more, err = checks[i](ctx, cfg, p)
			lines = append(lines, more...)
		}
	}
	return lines, err
}

// checkKeys fetches the keys that tokens are signed with.
func (c *Clients) checkKeys(ctx context.Context, cfg Config, p *provider) ([]string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.metadata.Keys, nil)
	if err != nil {
		return nil, unavailable("keys", err, cfg)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, unavailable("keys", err, cfg)
	}
	defer resp.Body.Close()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil || resp.StatusCode != http.StatusOK || len(set.Keys) == 0 {
		return nil, fmt.Errorf("%w: keys: the provider publishes none at %s (HTTP %s)", ErrUnavailable, plain(p.metadata.Keys), resp.Status)
	}
	return []string{fmt.Sprintf("Keys: the provider publishes %d for checking its tokens.", len(set.Keys))}, nil
}

// checkDevice starts a device flow and polls it once.
func (c *Clients) checkDevice(ctx context.Context, cfg Config, p *provider) (lines []string, err error) {
	d, err := c.StartDevice(ctx, cfg)
	if err != nil {
		return nil, err
	}
	lines = append(lines,
		fmt.Sprintf("Device flow: the provider gave a code for client %s. Devices will show %s.", plain(cfg.ClientID), d.VerificationURI),
		fmt.Sprintf("The code lasts %d minutes; it is asked for every %d seconds.", int(d.ExpiresAt.Sub(c.now()).Round(time.Minute)/time.Minute), int(d.Interval/time.Second)))
	if d.VerificationURIComplete == "" {
		lines = append(lines, "The provider gives no address that carries the code: the QR code leads to the page, the code is typed there.")
	}
	switch _, err = c.PollDevice(ctx, cfg, d); {
	case errors.Is(err, ErrPending), errors.Is(err, ErrSlowDown):
		lines = append(lines, "The client may ask for tokens; the provider waits for the person.")
	case err == nil:
		return lines, fmt.Errorf("%w: the provider gave a token for a code that nobody used", ErrUnavailable)
	case !errors.Is(err, ErrUnavailable):
		return lines, fmt.Errorf("%w: the provider refuses the client: %w", ErrUnavailable, err)
	default:
		return lines, err
	}
	return lines, nil
}

// checkCode redeems a code that is none.
func (c *Clients) checkCode(ctx context.Context, cfg Config, p *provider) (lines []string, err error) {
	if p.Endpoint().AuthURL == "" {
		return nil, fmt.Errorf("%w: this provider has no page to sign in (no authorization_endpoint)", ErrUnavailable)
	}
	lines = append(lines, "Sign-in page: "+plain(p.Endpoint().AuthURL))
	conf := p.config(cfg, "")
	_, err = conf.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), "slipway-check", oauth2.VerifierOption(NewVerifier()))
	var e *oauth2.RetrieveError
	switch {
	case errors.As(err, &e) && slices.Contains([]string{"invalid_client", "unauthorized_client"}, e.ErrorCode):
		return lines, fmt.Errorf("%w: the provider refuses the client: %s", ErrUnavailable, said(e, cfg))
	case errors.As(err, &e) && e.ErrorCode == "invalid_grant":
		lines = append(lines, fmt.Sprintf("Client %s was not refused, only the code, which is none. With some providers a wrong secret shows no earlier than when somebody signs in.", plain(cfg.ClientID)))
	case errors.As(err, &e) && e.ErrorCode != "":
		lines = append(lines, "Whether the client is accepted shows when somebody signs in; to a code that is none the provider says: "+said(e, cfg))
	case err == nil:
		return lines, fmt.Errorf("%w: the provider gave a token for a code that is none", ErrUnavailable)
	default:
		return lines, unavailable("token", err, cfg)
	}
	return append(lines, "The redirect address is checked by the provider when somebody signs in."), nil
}

// sight notes what a connection went through.
type sight struct {
	mu    sync.Mutex
	host  string
	lines []string
}

func (s *sight) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := fmt.Sprintf(format, args...); len(s.lines) < 8 && !slices.Contains(s.lines, line) {
		s.lines = append(s.lines, line)
	}
}

func (s *sight) found() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func (s *sight) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.host = i.Host
		},
		DNSDone: func(i httptrace.DNSDoneInfo) {
			s.mu.Lock()
			host := s.host
			s.mu.Unlock()
			if i.Err == nil {
				s.add("Name: %s was found (%d addresses).", host, len(i.Addrs))
			}
		},
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				s.add("Network: connected to %s.", addr)
			}
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				s.add("TLS: the provider's certificate is trusted (%s).", tls.VersionName(state.Version))
			}
		},
	}
}
