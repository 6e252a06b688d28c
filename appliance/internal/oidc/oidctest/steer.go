package oidctest

import (
	"context"
	"errors"
	"time"
)

var errNoCode = errors.New("oidctest: no device flow has this user code")

// Flow is how a device flow stands.
type Flow struct {
	UserCode string `json:"userCode"`
	Polls    int    `json:"polls"`
	Used     bool   `json:"used"` // a token was given
}

// Flows lists the device flows, oldest first.
func (p *Provider) Flows() []Flow {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Flow, len(s.order))
	for i, code := range s.order {
		f := s.byCode[code]
		out[i] = Flow{UserCode: code, Polls: f.polls, Used: f.used}
	}
	return out
}

// Approve is what a person does on the phone: sign in and say yes. user is an id
// or a name.
func (p *Provider) Approve(userCode, user string) error {
	return p.store.CompleteDeviceAuthorization(context.Background(), userCode, user)
}

// Deny is the person saying no.
func (p *Provider) Deny(userCode string) error {
	return p.store.DenyDeviceAuthorization(context.Background(), userCode)
}

// Expire ends the time of a code now.
func (p *Provider) Expire(userCode string) error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := s.GetDeviceAuthorizationByUserCode(context.Background(), userCode)
	if err != nil {
		return errNoCode
	}
	state.Expires = time.Now().Add(-time.Second)
	return nil
}

// SlowDown makes the provider busy: it answers slow_down to the next n polls.
func (p *Provider) SlowDown(userCode string, n int) error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.byCode[userCode]
	if f == nil {
		return errNoCode
	}
	f.slow = n
	return nil
}

// Rest lets the next poll come at once, as if the interval had gone by: for tests
// that move their own clock.
func (p *Provider) Rest() {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flows {
		f.last = time.Time{}
	}
}

// SetUser makes or changes a person.
func (p *Provider) SetUser(u User) {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = u
}

// SetRoles gives a person (id or name) other roles from the next token on.
func (p *Provider) SetRoles(user string, roles ...string) error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.userID(user)
	if err != nil {
		return err
	}
	u := s.users[id]
	u.Roles = roles
	s.users[id] = u
	return nil
}
