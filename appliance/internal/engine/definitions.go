package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// shelf is the catalogue of step definitions: the built-in ones and the
// administrator's own, as they stand in the state. Safe for concurrent use.
type shelf struct {
	store Store
	base  *tasksequence.Catalogue

	mu   sync.Mutex
	keys string // of the own definitions in made; versions never change
	made *tasksequence.Catalogue
}

func newShelf(store Store, base *tasksequence.Catalogue) *shelf {
	if base == nil {
		base = tasksequence.BuiltinCatalogue()
	}
	return &shelf{store: store, base: base}
}

// now is the catalogue as it stands. What cannot be read is left out: its steps are
// reported as unknown.
func (s *shelf) now() *tasksequence.Catalogue {
	catalogue := s.base
	err := s.store.View(func(tx *state.Tx) (err error) {
		catalogue, err = s.in(tx)
		return err
	})
	if err != nil {
		return s.base
	}
	return catalogue
}

// in is the catalogue within a transaction.
func (s *shelf) in(tx *state.Tx) (*tasksequence.Catalogue, error) {
	var keys strings.Builder
	for d := range tx.Definitions().All() {
		fmt.Fprintf(&keys, "%s:%d\n", d.ID, d.Version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made != nil && s.keys == keys.String() {
		return s.made, nil
	}
	var own []tasksequence.Definition
	for record := range tx.Definitions().All() {
		d, err := definitionOf(record)
		if err != nil {
			return nil, err
		}
		own = append(own, d)
	}
	made, err := s.base.With(own...)
	if err != nil {
		return nil, err
	}
	s.keys, s.made = keys.String(), made
	return made, nil
}

func definitionOf(record fleet.StepDefinition) (d tasksequence.Definition, err error) {
	if err := json.Unmarshal(record.Body, &d); err != nil {
		return d, fmt.Errorf("the stored step definition %s:%d: %w", record.ID, record.Version, err)
	}
	return d, nil
}

// Definitions returns every version of every step definition: first the built-in ones
// in the order in which an editor offers them, then the administrator's own.
func (l *Library) Definitions() ([]tasksequence.Definition, error) {
	all := tasksequence.Builtin()
	err := l.opts.Store.View(func(tx *state.Tx) error {
		for record := range tx.Definitions().All() {
			d, err := definitionOf(record)
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		return nil
	})
	return all, err
}

// Catalogue finds step definitions, the administrator's own included.
func (l *Library) Catalogue() *tasksequence.Catalogue { return l.shelf.now() }

// ImportDefinition takes a step definition of one's own, JSON or YAML. Without a
// version it becomes the next one of its id; what is there already with the same
// content is answered as it is, and a version never changes.
//
// Errors: tasksequence.Problems, ErrImmutable, and those of the state.
func (l *Library) ImportDefinition(ctx context.Context, actor Actor, text []byte) (tasksequence.Definition, error) {
	text, err := asJSON(text)
	if err != nil {
		return tasksequence.Definition{}, tasksequence.Problems{{Detail: err.Error()}}
	}
	parsed, err := tasksequence.ParseDefinition(text)
	if err != nil {
		return tasksequence.Definition{}, err
	}
	if problems := parsed.CheckOwn(); len(problems) > 0 {
		return tasksequence.Definition{}, problems
	}
	var d tasksequence.Definition
	var changed bool
	err = l.opts.Store.Update(ctx, func(tx *state.Tx) error {
		d, changed, err = l.putDefinition(tx, parsed)
		return err
	})
	if err != nil || !changed {
		return d, err
	}
	entry := fleet.AuditEntry{Actor: actor.Name, Address: actor.Address, Action: "step.imported", Object: d.Key(), Outcome: "ok", Reason: d.Name}
	if err := l.opts.Auditor.Write(context.WithoutCancel(ctx), entry); err != nil {
		l.opts.Logger.ErrorContext(ctx, "audit entry was not written", "action", entry.Action, "definition", entry.Object, "error", err)
	}
	return d, nil
}

func (l *Library) putDefinition(tx *state.Tx, d tasksequence.Definition) (stored tasksequence.Definition, changed bool, err error) {
	newest := 0
	for record := range tx.Definitions().ByID(d.ID) {
		newest = record.Version
		if d.Version != 0 && d.Version != record.Version {
			continue
		}
		old, err := definitionOf(record)
		if err != nil {
			return d, false, err
		}
		same, err := sameDefinition(old, d)
		if err != nil || same {
			return old, false, err
		}
		if d.Version != 0 {
			return d, false, fmt.Errorf("version %d of the step %q: %w", d.Version, d.ID, ErrImmutable)
		}
	}
	if d.Version == 0 {
		d.Version = newest + 1
	}
	body, err := json.Marshal(d)
	if err != nil {
		return d, false, fmt.Errorf("write the step definition: %w", err)
	}
	return d, true, tx.Definitions().Put(fleet.StepDefinition{ID: d.ID, Version: d.Version, Name: d.Name, Body: body, UpdatedAt: l.opts.Now()})
}

// sameDefinition compares all but the version.
func sameDefinition(a, b tasksequence.Definition) (bool, error) {
	a.Version, b.Version = 0, 0
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}

// ExportDefinition returns a definition, built-in or own, as "json" or "yaml"; version
// 0 asks for the newest one. ErrNotFound.
func (l *Library) ExportDefinition(id string, version int, format string) ([]byte, error) {
	d, ok := l.shelf.now().Find(id, version)
	if !ok {
		return nil, fmt.Errorf("%w: step definition %s", ErrNotFound, clean(id, maxShort))
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the step definition: %w", err)
	}
	return written(body, format)
}

// written is a document as "json" or "yaml".
func written(body []byte, format string) ([]byte, error) {
	switch format {
	case "", "json":
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			return nil, fmt.Errorf("a stored document: %w", err)
		}
		pretty.WriteByte('\n')
		return pretty.Bytes(), nil
	case "yaml":
		return toYAML(body)
	}
	return nil, &FieldError{Field: "format", Detail: fmt.Sprintf("%q is not a format; use json or yaml", clean(format, maxShort))}
}

// asJSON turns what may be YAML into JSON.
func asJSON(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] != '{' {
		return fromYAML(text)
	}
	return text, nil
}
