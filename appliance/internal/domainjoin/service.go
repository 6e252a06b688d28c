package domainjoin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"slipway/fleet"
)

// Errors of Provision.
var (
	ErrNotSet = errors.New("no program for offline domain joins is set up")
	ErrFailed = errors.New("the computer's account could not be made")
	ErrOther  = errors.New("this deployment joins under another name")
)

// InvalidError says what is wrong with a request.
type InvalidError struct{ Field, Detail string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Detail }

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Options are what the service is made of. Now and Timeout may be left out.
type Options struct {
	Command []string // program and arguments; empty: joins are not set up
	Timeout time.Duration
	Audit   Auditor
	Logger  *slog.Logger
	Now     func() time.Time
}

// Service has accounts made. It is safe for concurrent use.
type Service struct {
	o     Options
	slots chan struct{} // programs that run at once

	mu    sync.Mutex
	known map[string]*account // by deployment
}

// account is one that was made, or is being made. mu is held meanwhile.
type account struct {
	mu       sync.Mutex
	computer string // under which the deployment joins, folded
	ou       string
	blob     string
	made     time.Time
}

// Limits of the service.
const (
	defaultTimeout = 2 * time.Minute
	maxPrograms    = 4
	maxAccounts    = 10_000
	keepBlob       = 10 * time.Minute // so that a repeated call does not make the account twice
)

// New returns the service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Service{o: o, slots: make(chan struct{}, maxPrograms), known: map[string]*account{}}
}

// Request asks for the account of a device's computer.
type Request struct {
	Deployment string
	Device     fleet.Device
	Computer   string // NetBIOS name
	OU         string // distinguished name; empty: where the program puts computers
}

// Provision has the account made and returns the blob. The same request gets the same
// answer for some minutes; another name in the same deployment is ErrOther. Errors:
// ErrNotSet, ErrFailed, ErrOther, *InvalidError, and ctx's own.
func (s *Service) Provision(ctx context.Context, r Request) (blob string, err error) {
	if len(s.o.Command) == 0 {
		return "", ErrNotSet
	}
	r.Computer, r.OU = strings.TrimSpace(r.Computer), strings.TrimSpace(r.OU)
	if err := r.check(); err != nil {
		return "", err
	}
	a := s.account(r.Deployment)
	a.mu.Lock()
	defer a.mu.Unlock()
	folded := strings.ToUpper(r.Computer)
	switch {
	case a.computer != "" && a.computer != folded:
		return "", fmt.Errorf("%w: %s", ErrOther, a.computer)
	case a.blob != "" && a.ou == r.OU && s.o.Now().Sub(a.made) < keepBlob:
		return a.blob, nil
	}
	a.computer, a.ou, a.blob = folded, r.OU, ""
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	blob, err = s.run(ctx, r)
	s.note(ctx, r, err)
	if err != nil {
		return "", err
	}
	a.blob, a.made = blob, s.o.Now()
	return blob, nil
}

// account is the one of a deployment. Blobs that are too old are forgotten.
func (s *Service) account(deployment string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.known[deployment]
	if a != nil {
		return a
	}
	for id, other := range s.known {
		if !other.mu.TryLock() {
			continue
		}
		if s.o.Now().Sub(other.made) >= keepBlob {
			other.blob = ""
		}
		idle := other.blob == ""
		other.mu.Unlock()
		if idle && len(s.known) >= maxAccounts {
			delete(s.known, id)
		}
	}
	a = &account{}
	s.known[deployment] = a
	return a
}

func (s *Service) note(ctx context.Context, r Request, err error) {
	e := fleet.AuditEntry{Time: s.o.Now(), Actor: "device", Device: r.Device.ID, Action: "domainjoin.provisioned", Outcome: "ok", Object: r.Computer}
	if err != nil {
		e.Outcome, e.Reason = "error", ErrFailed.Error()
	}
	if err := s.o.Audit.Write(context.WithoutCancel(ctx), e); err != nil {
		s.o.Logger.ErrorContext(ctx, "audit entry not written", "action", e.Action, "error", err)
	}
}

// check holds the request to what a domain takes: NetBIOS names of computers have 15
// characters at most (MS-ADTS 3.1.1.1.3), and these are those that DNS takes too.
func (r Request) check() error {
	name := r.Computer
	switch {
	case name == "":
		return &InvalidError{"computerName", "a name for the computer is needed"}
	case len(name) > 15:
		return &InvalidError{"computerName", "a name in a domain has 15 characters at most"}
	case strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return &InvalidError{"computerName", "only letters, digits and hyphens within can stand in it"}
	case strings.Trim(name, "0123456789") == "":
		return &InvalidError{"computerName", "it cannot be a number"}
	case len(r.OU) > 1024 || strings.ContainsFunc(r.OU, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return &InvalidError{"ou", "this is not the distinguished name of an organizational unit"}
	}
	return nil
}
