package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Import takes a document, JSON or YAML, into the library. Without an id it becomes
// a new sequence, without a version the next version of its sequence. What is there
// already with the same content is answered as it is. A version in development is
// replaced; an active or deprecated one never changes, except that its status may
// go from active to deprecated and back.
//
// Errors: tasksequence.Problems, ErrImmutable, ErrTooLarge, and those of the state.
func (l *Library) Import(ctx context.Context, actor Actor, text []byte) (fleet.Sequence, error) {
	parsed, err := parse(text)
	if err != nil {
		return fleet.Sequence{}, err
	}
	fresh := l.opts.NewID()
	var stored fleet.Sequence
	var changed bool
	err = l.opts.Store.Update(ctx, func(tx *state.Tx) error {
		stored, changed, err = l.put(tx, parsed, fresh)
		return err
	})
	if err != nil {
		return fleet.Sequence{}, err
	}
	if changed {
		l.audit(ctx, actor, stored)
	}
	return l.shown(stored)
}

func (l *Library) audit(ctx context.Context, actor Actor, s fleet.Sequence) {
	l.auditAs(ctx, actor, "sequence.imported", s)
}

func (l *Library) auditAs(ctx context.Context, actor Actor, action string, s fleet.Sequence) {
	entry := fleet.AuditEntry{Actor: actor.Name, Address: actor.Address, Action: action,
		Object: fmt.Sprintf("%s:%d", s.ID, s.Version), Outcome: "ok", Reason: s.Name}
	if err := l.opts.Auditor.Write(context.WithoutCancel(ctx), entry); err != nil {
		l.opts.Logger.ErrorContext(ctx, "audit entry was not written", "action", entry.Action, "sequence", entry.Object, "error", err)
	}
}

// parse reads JSON or YAML strictly.
func parse(text []byte) (tasksequence.Sequence, error) {
	text, err := asJSON(text)
	if err != nil {
		return tasksequence.Sequence{}, tasksequence.Problems{{Detail: err.Error()}}
	}
	return tasksequence.ParseSequence(text)
}

// put stores a parsed sequence within a transaction; fresh is an id for a new one.
func (l *Library) put(tx *state.Tx, s tasksequence.Sequence, fresh string) (stored fleet.Sequence, changed bool, err error) {
	if found, ok, err := l.same(tx, s); err != nil || ok {
		return found, false, err
	}
	if s.ID == "" {
		s.ID = fresh
	}
	if s.Version == 0 {
		s.Version = 1
		if before, err := newest(tx, s.ID, false); err == nil {
			s.Version = before.Version + 1
		}
	}
	if s, err = l.complete(tx, s); err != nil {
		return fleet.Sequence{}, false, err
	}
	if old, err := tx.Sequences().Get(state.SequenceKey(s.ID, s.Version)); err == nil {
		if err := l.replaceable(old, s); err != nil {
			return fleet.Sequence{}, false, err
		}
	} else if !errors.Is(err, state.ErrNotFound) {
		return fleet.Sequence{}, false, err
	}
	record, err := l.toRecord(s)
	if err != nil {
		return fleet.Sequence{}, false, err
	}
	return record, true, tx.Sequences().Put(record)
}

// same finds what the library holds already with the same content: the very
// version, or the newest one of the id, or without an id one of the same name.
func (l *Library) same(tx *state.Tx, s tasksequence.Sequence) (fleet.Sequence, bool, error) {
	var candidates []fleet.Sequence
	switch {
	case s.ID == "":
		for candidate := range tx.Sequences().All() {
			if candidate.Name == s.Name {
				candidates = append(candidates, candidate)
			}
		}
	case s.Version == 0:
		if candidate, err := newest(tx, s.ID, false); err == nil {
			candidates = append(candidates, candidate)
		}
	default:
		if candidate, err := tx.Sequences().Get(state.SequenceKey(s.ID, s.Version)); err == nil {
			candidates = append(candidates, candidate)
		}
	}
	for _, candidate := range candidates {
		old, err := fromRecord(candidate)
		if err != nil {
			return fleet.Sequence{}, false, err
		}
		if old, err = l.vault.open(old); err != nil {
			continue // its key is lost: what is imported now takes its place
		}
		filled, problems := l.vault.keep(s, old)
		if len(problems) > 0 {
			continue
		}
		equal, err := equalContent(old, filled, true)
		if err != nil || equal {
			return candidate, equal, err
		}
	}
	return fleet.Sequence{}, false, nil
}

// equalContent compares all but id and version, and the status if asked.
func equalContent(a, b tasksequence.Sequence, status bool) (bool, error) {
	a.ID, a.Version, b.ID, b.Version = "", 0, "", 0
	if !status {
		a.Status, b.Status = "", ""
	}
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}

// replaceable says whether a stored version may become s.
func (l *Library) replaceable(record fleet.Sequence, s tasksequence.Sequence) error {
	if record.Status == tasksequence.InDevelopment {
		return nil
	}
	old, err := fromRecord(record)
	if err == nil {
		old, err = l.vault.open(old)
	}
	if err != nil {
		return err
	}
	equal, err := equalContent(old, s, false)
	if err != nil {
		return err
	}
	if !equal || s.Status == tasksequence.InDevelopment {
		return fmt.Errorf("version %d of %q is %s: %w", record.Version, record.Name, record.Status, ErrImmutable)
	}
	return nil
}
