package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Auditor is the audit log.
type Auditor interface {
	Write(ctx context.Context, e fleet.AuditEntry) error
}

// Sealer seals secrets.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options are what the service is made of. All but Now must be set.
type Options struct {
	Store  *state.Store
	Audit  Auditor
	Sealer Sealer
	Logger *slog.Logger
	Now    func() time.Time // time.Now when nil
}

// Service keeps the settings and makes the calls. It is safe for concurrent use.
type Service struct {
	Options

	mu            sync.Mutex
	client        *client
	settings      fleet.Graph // that client was made of
	registrations map[string]*registration
}

// New returns the service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{Options: o, registrations: map[string]*registration{}}
}

// Settings are the settings in force.
func (s *Service) Settings(context.Context) (v fleet.Graph, err error) {
	err = s.Store.View(func(tx *state.Tx) error {
		v, err = settings(tx)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("graph: read the settings: %w", err)
	}
	return v, nil
}

func settings(tx *state.Tx) (fleet.Graph, error) {
	v, err := tx.Graph().Get(state.Self)
	if errors.Is(err, state.ErrNotFound) {
		return fleet.Graph{}, nil
	}
	return v, err
}

// Change changes settings by their keys, all or none, effective at once. An empty
// value removes one. *InvalidError with the key as field.
func (s *Service) Change(ctx context.Context, actor, address string, changes map[string]string) error {
	set, err := s.setters(changes)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx *state.Tx) error {
		v, err := settings(tx)
		if err != nil {
			return err
		}
		for _, change := range set {
			change(&v)
		}
		return tx.Graph().Put(v)
	})
	if err != nil {
		return fmt.Errorf("graph: change the settings: %w", err)
	}
	for _, k := range Keys(fleet.Graph{}) {
		if value, ok := find(changes, k.Name); ok {
			s.note(ctx, fleet.AuditEntry{Actor: actor, Address: address, Action: "graph.changed", Outcome: "ok", Object: k.Name, Reason: told(k, value)})
		}
	}
	return nil
}

// told is what the audit log keeps of a change.
func told(k Key, value string) string {
	switch {
	case value == "":
		return "removed"
	case k.Kind == KindSecret:
		return "changed"
	}
	return value
}

// setters checks the changes and seals what is secret.
func (s *Service) setters(changes map[string]string) ([]func(*fleet.Graph), error) {
	var set []func(*fleet.Graph)
	known := map[string]bool{}
	for _, k := range Keys(fleet.Graph{}) {
		known[spelled(k.Name)] = true
		value, ok := find(changes, k.Name)
		if !ok {
			continue
		}
		if len(value) > maxSetting {
			return nil, &InvalidError{k.Name, fmt.Sprintf("This is longer than %d KiB.", maxSetting>>10)}
		}
		change, err := s.setter(k.Name, value)
		if err != nil {
			return nil, err
		}
		set = append(set, change)
	}
	for name := range changes {
		if !known[spelled(name)] {
			return nil, &InvalidError{name, "There is no such setting. Those there are: " + strings.Join(names(), ", ") + "."}
		}
	}
	return set, nil
}

func (s *Service) setter(name, value string) (func(*fleet.Graph), error) {
	invalid := func(err error) error { return &InvalidError{name, sentence(err)} }
	switch name {
	case "tenant":
		return func(v *fleet.Graph) { v.Tenant = strings.ToLower(value) }, wrap(invalid, checkID(value))
	case "client_id":
		return func(v *fleet.Graph) { v.ClientID = strings.ToLower(value) }, wrap(invalid, checkID(value))
	case "authority":
		return func(v *fleet.Graph) { v.Authority = strings.TrimRight(value, "/") }, wrap(invalid, checkOrigin(value))
	case "endpoint":
		return func(v *fleet.Graph) { v.Endpoint = strings.TrimRight(value, "/") }, wrap(invalid, checkOrigin(value))
	case "client_secret":
		if err := checkSecret(value); err != nil {
			return nil, invalid(err)
		}
		sealed, err := s.seal(value, purposeSecret)
		return func(v *fleet.Graph) { v.SealedSecret = sealed }, err
	}
	if value == "" {
		return func(v *fleet.Graph) { v.Certificate, v.SealedKey = "", nil }, nil
	}
	certificate, key, err := pair(value)
	if err != nil {
		return nil, invalid(err)
	}
	sealed, err := s.seal(key, purposeKey)
	return func(v *fleet.Graph) { v.Certificate, v.SealedKey = certificate, sealed }, err
}

func (s *Service) seal(value, purpose string) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	sealed, err := s.Sealer.Seal([]byte(value), purpose)
	if err != nil {
		return nil, fmt.Errorf("graph: seal: %w", err)
	}
	return sealed, nil
}

func wrap(as func(error) error, err error) error {
	if err != nil {
		return as(err)
	}
	return nil
}

// sentence makes one of an error's text.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + strings.TrimRight(text[1:], ".") + "."
}

// spelled makes spellings alike: client_id, clientId, CLIENT-ID.
func spelled(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

func find(changes map[string]string, name string) (value string, ok bool) {
	for given, v := range changes {
		if spelled(given) == spelled(name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

func names() (out []string) {
	for _, k := range Keys(fleet.Graph{}) {
		out = append(out, k.Name)
	}
	return out
}

func (s *Service) note(ctx context.Context, e fleet.AuditEntry) {
	if err := s.Audit.Write(ctx, e); err != nil {
		s.Logger.WarnContext(ctx, "audit entry was not written", "action", e.Action, "error", err)
	}
}
