package oidctest

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

// Options of a Provider. The zero value serves http on a free port of 127.0.0.1.
type Options struct {
	Addr     string        // where to listen; 127.0.0.1:0
	Host     string        // host of the issuer, when it is not the address
	TLS      bool          // https with a CA of its own, see Provider.CA
	Control  string        // where to listen for Control requests; empty: nowhere
	Clients  []Client      // empty: DefaultClients
	Users    []User        // empty: DefaultUsers
	Interval time.Duration // whole seconds between polls, 1 s at least; 5 s
	Lifetime time.Duration // of a device code, whole seconds; 5 min
	Logger   *slog.Logger  // nothing is logged
}

// Client is an application the provider knows. Without a secret it is a public
// one. It may use the device flow, and the code flow to its redirect addresses.
type Client struct {
	ID        string
	Secret    string
	Redirects []string
}

// User is a person at the provider.
type User struct {
	ID       string
	Name     string // preferred_username
	Password string
	Email    string
	Roles    []string       // claim roles
	Claims   map[string]any // further claims of the id token
}

// DefaultClients are a public one, "slipway", and one with a secret,
// "slipway-secret".
func DefaultClients() []Client {
	return []Client{{ID: "slipway"}, {ID: "slipway-secret", Secret: "s3cret"}}
}

// DefaultUsers are id1, who has the role Deploy, and id2, who has none.
func DefaultUsers() []User {
	return []User{
		{ID: "id1", Name: "anna@example.test", Password: "verysecure", Email: "anna@example.test", Roles: []string{"Deploy"}},
		{ID: "id2", Name: "ben@example.test", Password: "verysecure", Email: "ben@example.test"},
	}
}

// Provider is a running provider. It is safe for concurrent use. Close ends it.
type Provider struct {
	Issuer string // its address
	store  *store
	router http.Handler
	addr   string
	tls    *tls.Config
	ca     string
	logger *slog.Logger

	mu      sync.Mutex
	server  *http.Server  // nil: down
	done    chan struct{} // closed when server has ended
	control *control      // nil: none
}

// Start runs a provider.
func Start(o Options) (*Provider, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.Lifetime == 0 {
		o.Lifetime = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.Clients) == 0 {
		o.Clients = DefaultClients()
	}
	if len(o.Users) == 0 {
		o.Users = DefaultUsers()
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("oidctest: %w", err)
	}
	p := &Provider{addr: l.Addr().String(), logger: o.Logger}
	if err := p.setUp(o); err != nil {
		l.Close()
		return nil, fmt.Errorf("oidctest: %w", err)
	}
	p.serve(l)
	if o.Control != "" {
		if p.control, err = startControl(p, o.Control); err != nil {
			p.Close()
			return nil, fmt.Errorf("oidctest: %w", err)
		}
	}
	return p, nil
}

// setUp makes everything but the listener.
func (p *Provider) setUp(o Options) error {
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	if o.Host != "" {
		host = o.Host
	}
	p.Issuer = "http://" + net.JoinHostPort(host, port)
	if o.TLS {
		p.Issuer = "https://" + net.JoinHostPort(host, port)
		if p.tls, p.ca, err = serverTLS(host); err != nil {
			return err
		}
	}
	p.store = newStore(o)
	p.router, err = newRouter(p.Issuer, p.store, o)
	return err
}

// newRouter joins the protocol, with our times in it, to the example's pages for
// people.
func newRouter(issuer string, s *store, o Options) (http.Handler, error) {
	protocol, err := newProtocol(issuer, s, o)
	if err != nil {
		return nil, err
	}
	pages := exampleop.SetupServer(issuer, s, o.Logger, false)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/device" || strings.HasPrefix(r.URL.Path, "/device/") || strings.HasPrefix(r.URL.Path, "/login/"):
			pages.ServeHTTP(w, r)
		case r.URL.Path == "/oauth/token" && s.faultsNow().Issuer != "":
			other, err := newProtocol(s.faultsNow().Issuer, s, o)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			other.ServeHTTP(w, r)
		default:
			protocol.ServeHTTP(w, r)
		}
	}), nil
}

func newProtocol(issuer string, s *store, o Options) (http.Handler, error) {
	return op.NewProvider(&op.Config{
		CryptoKey:          sha256.Sum256([]byte("test")), // as the example's pages
		CodeMethodS256:     true,
		AuthMethodPost:     true,
		SupportedUILocales: []language.Tag{language.English},
		DeviceAuthorization: op.DeviceAuthorizationConfig{
			Lifetime: o.Lifetime, PollInterval: o.Interval, UserFormPath: "/device", UserCode: op.UserCodeBase20,
		},
	}, s, op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithCustomAuthEndpoint(op.NewEndpoint("auth")), op.WithLogger(o.Logger))
}

// serve takes requests until Down or Close.
func (p *Provider) serve(l net.Listener) {
	if p.tls != nil {
		l = tls.NewListener(l, p.tls)
	}
	server := &http.Server{Handler: p.router, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug)}
	done := make(chan struct{})
	p.mu.Lock()
	p.server, p.done = server, done
	p.mu.Unlock()
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with the server
	}()
}

// Down takes the provider off the network: its port is closed. What it knows stays.
func (p *Provider) Down() error {
	p.mu.Lock()
	server, done := p.server, p.done
	p.server = nil
	p.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Close()
	<-done
	return err
}

// Up brings it back at the same address.
func (p *Provider) Up() error {
	p.mu.Lock()
	up := p.server != nil
	p.mu.Unlock()
	if up {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("oidctest: %w", err)
	}
	p.serve(l)
	return nil
}

// Close ends the provider and waits for it.
func (p *Provider) Close() error {
	err := p.Down()
	if p.control != nil {
		err = errors.Join(err, p.control.close())
	}
	return err
}

// CA is the certificate (PEM) that vouches for the provider; empty without TLS.
func (p *Provider) CA() string { return p.ca }

// ControlURL is where Control requests go; empty without them.
func (p *Provider) ControlURL() string {
	if p.control == nil {
		return ""
	}
	return p.control.url
}
