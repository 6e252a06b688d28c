package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	callTime     = 10 * time.Second // the longest a call takes, discovery included
	metadataLife = time.Hour        // of what was discovered
	maxProviders = 8                // that are remembered; the oldest goes
)

// Clients keeps what was discovered of providers. It is safe for concurrent use.
type Clients struct {
	now func() time.Time

	mu    sync.Mutex
	known map[providerKey]*provider
}

// NewClients returns an empty one. now is the clock that tokens are checked by.
func NewClients(now func() time.Time) *Clients {
	return &Clients{now: now, known: map[providerKey]*provider{}}
}

// CloseIdle closes connections that are kept for later calls. Without it they
// end by themselves after idleTime.
func (c *Clients) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.known {
		p.client.CloseIdleConnections()
	}
}

// providerKey is what discovery depends on.
type providerKey struct{ issuer, cas string }

// provider is what was discovered of one.
type provider struct {
	*gooidc.Provider
	client   *http.Client
	keys     gooidc.KeySet // fetches them when needed, and again for one it does not know
	metadata metadata
	learned  time.Time
}

// metadata is what go-oidc does not hand out of OpenID Connect Discovery 1.0,
// section 3.
type metadata struct {
	Issuer      string   `json:"issuer"`
	Keys        string   `json:"jwks_uri"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
}

// provider discovers the provider, or remembers it. Keys that the provider
// changes are noticed without: they are fetched again when a token names one that
// is not known.
func (c *Clients) provider(ctx context.Context, cfg Config) (*provider, error) {
	key := providerKey{cfg.Issuer, cfg.CAs}
	c.mu.Lock()
	p := c.known[key]
	c.mu.Unlock()
	if p != nil {
		// A clock that was set back makes nothing live for ever.
		if age := c.now().Sub(p.learned); age >= 0 && age < metadataLife {
			return p, nil
		}
	}
	p, err := discover(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p.learned = c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.known[key]; old != nil {
		old.client.CloseIdleConnections()
	} else if len(c.known) >= maxProviders {
		c.dropOldest()
	}
	c.known[key] = p
	return p, nil
}

// dropOldest makes room for another one. The caller holds mu.
func (c *Clients) dropOldest() {
	var oldest providerKey
	for k, p := range c.known {
		if o := c.known[oldest]; o == nil || p.learned.Before(o.learned) {
			oldest = k
		}
	}
	c.known[oldest].client.CloseIdleConnections()
	delete(c.known, oldest)
}

// forget drops what was discovered, after a call failed: the provider may have
// moved its addresses.
func (c *Clients) forget(cfg Config, p *provider) {
	key := providerKey{cfg.Issuer, cfg.CAs}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[key] == p {
		delete(c.known, key)
		p.client.CloseIdleConnections()
	}
}

// discover asks the provider what it is. Its issuer must be the configured one,
// letter by letter.
func discover(ctx context.Context, cfg Config) (*provider, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("%w: the issuer must be an address such as https://login.example.com", ErrUnavailable)
	}
	if err := protected(issuer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	client, err := newHTTPClient(cfg.CAs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	found, err := gooidc.NewProvider(gooidc.ClientContext(ctx, client), cfg.Issuer)
	if err != nil {
		client.CloseIdleConnections()
		return nil, unavailable("discovery", err, cfg)
	}
	p := &provider{Provider: found, client: client}
	if err := found.Claims(&p.metadata); err != nil {
		client.CloseIdleConnections()
		return nil, unavailable("discovery", err, cfg)
	}
	if err := p.checkAddresses(issuer); err != nil {
		client.CloseIdleConnections()
		return nil, err
	}
	p.keys = gooidc.NewRemoteKeySet(gooidc.ClientContext(context.WithoutCancel(ctx), client), p.metadata.Keys)
	return p, nil
}

// checkAddresses refuses addresses that would carry secrets unprotected.
func (p *provider) checkAddresses(issuer *url.URL) error {
	e := p.Endpoint()
	for name, address := range map[string]string{
		"authorization_endpoint": e.AuthURL, "token_endpoint": e.TokenURL,
		"device_authorization_endpoint": e.DeviceAuthURL, "jwks_uri": p.metadata.Keys,
	} {
		if address == "" && (name == "authorization_endpoint" || name == "device_authorization_endpoint") {
			continue // whoever needs it looks
		}
		u, err := url.Parse(address)
		if err == nil && u.Host == "" {
			err = errors.New("it is no address")
		}
		if err == nil && u.Scheme != "https" && u.Scheme != issuer.Scheme {
			err = errors.New("it is not https")
		}
		if err == nil {
			err = protected(u)
		}
		if err != nil {
			return fmt.Errorf("%w: discovery: the provider's %s cannot be used: %s", ErrUnavailable, name, plain(err.Error()))
		}
	}
	return nil
}

// config is the client in the words of the oauth2 library.
func (p *provider) config(cfg Config, redirect string) *oauth2.Config {
	scopes := cfg.Scopes
	if len(scopes) == 0 {
		scopes = []string{"profile", "email"}
	}
	endpoint := p.Endpoint()
	// Never left to trial and error: that would send every poll twice.
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if cfg.Secret != "" && p.basicAuth() {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.Secret, Endpoint: endpoint, RedirectURL: redirect,
		Scopes: append([]string{gooidc.ScopeOpenID}, scopes...),
	}
}

// basicAuth reports whether the secret goes into the Authorization header, which
// is what holds when the provider does not say (Discovery 1.0, section 3).
func (p *provider) basicAuth() bool {
	m := p.metadata.AuthMethods
	return len(m) == 0 || slices.Contains(m, "client_secret_basic")
}
