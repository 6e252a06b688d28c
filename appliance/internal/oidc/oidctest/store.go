package oidctest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// store is the example's storage with our people, roles and clients. It keeps the
// rules of RFC 8628 that the example leaves out: a device code is good for one
// token, and who polls too early is told to slow down.
type store struct {
	*storage.Storage
	interval time.Duration
	clients  map[string]Client

	mu      sync.Mutex
	users   map[string]User  // by id
	flows   map[string]*flow // by device code
	byCode  map[string]*flow // by user code
	order   []string         // user codes, oldest first
	faults  Faults
	wrong   *signingKey // signs while Faults.Key is set; nil until then
	rotated *signingKey // nil: the example's own signs
}

// flow is what we know of a device flow beside the example.
type flow struct {
	userCode string
	last     time.Time // poll
	polls    int
	slow     int // polls to be answered slow_down
	used     bool
}

func newStore(o Options) *store {
	s := &store{
		interval: o.Interval, clients: map[string]Client{}, users: map[string]User{},
		flows: map[string]*flow{}, byCode: map[string]*flow{},
	}
	clients := map[string]*storage.Client{}
	for _, c := range o.Clients {
		s.clients[c.ID] = c
		clients[c.ID] = storage.NativeClient(c.ID, c.Redirects...)
		if c.Secret != "" {
			clients[c.ID] = storage.WebClient(c.ID, c.Secret, c.Redirects...)
		}
	}
	for _, u := range o.Users {
		s.users[u.ID] = u
	}
	s.Storage = storage.NewStorageWithClients(people{s}, clients)
	return s
}

// people is our users in the words of the example.
type people struct{ s *store }

func (p people) ExampleClientID() string { return "service" }

func (p people) GetUserByID(id string) *storage.User {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	u, ok := p.s.users[id]
	if !ok {
		return nil
	}
	return &storage.User{ID: u.ID, Username: u.Name, Password: u.Password, FirstName: "Test", LastName: u.ID, Email: u.Email, EmailVerified: true}
}

func (p people) GetUserByUsername(name string) *storage.User {
	p.s.mu.Lock()
	id, _ := p.s.userID(name)
	p.s.mu.Unlock()
	return p.GetUserByID(id)
}

// userID finds a user by id or name. The caller holds mu.
func (s *store) userID(idOrName string) (string, error) {
	if _, ok := s.users[idOrName]; ok {
		return idOrName, nil
	}
	for _, u := range s.users {
		if u.Name == idOrName {
			return u.ID, nil
		}
	}
	return "", fmt.Errorf("no user %q", idOrName)
}

// StoreDeviceAuthorization remembers the flow as well.
func (s *store) StoreDeviceAuthorization(ctx context.Context, clientID, deviceCode, userCode string, expires time.Time, scopes []string) error {
	if err := s.Storage.StoreDeviceAuthorization(ctx, clientID, deviceCode, userCode, expires, scopes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &flow{userCode: userCode}
	s.flows[deviceCode], s.byCode[userCode] = f, f
	s.order = append(s.order, userCode)
	return nil
}

// GetDeviceAuthorizatonState is asked at each poll. The provider answers slow_down
// when its storage is out of time, and access_denied when it finds nothing.
func (s *store) GetDeviceAuthorizatonState(ctx context.Context, clientID, deviceCode string) (*op.DeviceAuthorizationState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[deviceCode]
	if f == nil {
		return nil, errors.New("device code not found")
	}
	now := time.Now()
	early := f.polls > 0 && now.Sub(f.last) < s.interval*9/10
	f.polls++
	f.last = now
	if f.slow > 0 || early {
		f.slow = max(0, f.slow-1)
		return nil, context.DeadlineExceeded
	}
	state, err := s.Storage.GetDeviceAuthorizatonState(ctx, clientID, deviceCode)
	if err != nil {
		return nil, err
	}
	if f.used {
		return nil, errors.New("this device code was used")
	}
	f.used = state.Done && !state.Denied
	mine := *state // the person may change it meanwhile
	mine.Scopes = slices.Clone(state.Scopes)
	if s.faults.Audience != "" {
		mine.ClientID = s.faults.Audience
	}
	if s.faults.NoIDToken {
		mine.Scopes = slices.DeleteFunc(mine.Scopes, func(s string) bool { return s == oidc.ScopeOpenID })
	}
	return &mine, nil
}

// CompleteDeviceAuthorization takes the user's name as well: that is what the
// example's page gives.
func (s *store) CompleteDeviceAuthorization(ctx context.Context, userCode, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.userID(subject)
	if err != nil {
		return err
	}
	return s.Storage.CompleteDeviceAuthorization(ctx, userCode, id)
}

// DenyDeviceAuthorization refuses codes nobody knows.
func (s *store) DenyDeviceAuthorization(ctx context.Context, userCode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byCode[userCode] == nil {
		return errNoCode
	}
	return s.Storage.DenyDeviceAuthorization(ctx, userCode)
}

// GetClientByClientID gives every client the device flow, and names in the id token.
func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{Client: c, lifetime: s.faultsNow().Lifetime}, nil
}

type client struct {
	op.Client
	lifetime time.Duration
}

func (c client) GrantTypes() []oidc.GrantType {
	return append(slices.Clone(c.Client.GrantTypes()), oidc.GrantTypeDeviceCode)
}

func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }

// DevMode lets a redirect address be http on loopback.
func (c client) DevMode() bool { return true }

func (c client) IDTokenLifetime() time.Duration {
	if c.lifetime != 0 {
		return c.lifetime
	}
	return c.Client.IDTokenLifetime()
}

// SetUserinfoFromRequest adds roles and further claims to the id token.
func (s *store) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	if err := s.Storage.SetUserinfoFromRequest(ctx, info, r, scopes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[r.GetSubject()]
	info.Subject = r.GetSubject()
	if len(u.Roles) > 0 {
		info.AppendClaims("roles", slices.Clone(u.Roles))
	}
	for k, v := range maps.Clone(u.Claims) {
		info.AppendClaims(k, v)
	}
	return nil
}
