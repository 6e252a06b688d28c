package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Edit says what the library held when somebody began to edit.
type Edit struct {
	// Origin is the version, of this or another sequence, whose secrets *** stands for
	// in the edited text; zero: none.
	Origin    tasksequence.Reference
	Newest    int       // highest version of the sequence, 0 when there was none
	ChangedAt time.Time // when the version was changed last that the text replaces
}

// ConflictError says that the library does not hold what an edit began with.
type ConflictError struct{ Current fleet.Sequence }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("version %d of %q was saved meanwhile", e.Current.Version, e.Current.Name)
}

// Save stores an edited sequence, JSON, if nobody saved meanwhile: without a version
// number as a new one, with a number in the place of that version in development.
//
// Errors: *ConflictError, tasksequence.Problems, ErrImmutable, ErrTooLarge, and those
// of the state.
func (l *Library) Save(ctx context.Context, actor Actor, text []byte, e Edit) (fleet.Sequence, error) {
	s, err := parse(text)
	if err != nil {
		return fleet.Sequence{}, err
	}
	var stored fleet.Sequence
	err = l.opts.Store.Update(ctx, func(tx *state.Tx) error {
		stored, err = l.saveIn(tx, s, e)
		return err
	})
	if err != nil {
		return fleet.Sequence{}, err
	}
	l.auditAs(ctx, actor, "sequence.saved", stored)
	return l.shown(stored)
}

func (l *Library) saveIn(tx *state.Tx, s tasksequence.Sequence, e Edit) (record fleet.Sequence, err error) {
	if s.ID == "" {
		return record, tasksequence.Problems{{Field: "id", Detail: "the edited task sequence has no id"}}
	}
	current, err := newest(tx, s.ID, false)
	if err != nil && !errors.Is(err, tasksequence.ErrNoSequence) {
		return record, err
	}
	if s.Version == 0 {
		if current.Version != e.Newest {
			return record, &ConflictError{Current: current}
		}
		s.Version = current.Version + 1
	} else if err := replaced(tx, s, e, current); err != nil {
		return record, err
	}
	if s, err = l.against(tx, s, e.Origin); err != nil {
		return record, err
	}
	if record, err = l.toRecord(s); err != nil {
		return record, err
	}
	return record, tx.Sequences().Put(record)
}

// replaced says whether s may take the place of the version of its number.
func replaced(tx *state.Tx, s tasksequence.Sequence, e Edit, current fleet.Sequence) error {
	old, err := tx.Sequences().Get(state.SequenceKey(s.ID, s.Version))
	switch {
	case errors.Is(err, state.ErrNotFound):
		return &ConflictError{Current: current}
	case err != nil:
		return err
	case !old.UpdatedAt.Equal(e.ChangedAt), old.Status != tasksequence.InDevelopment:
		return &ConflictError{Current: old}
	}
	return nil
}

// against fills in what masks stand for from the version where the edit began, and
// checks the whole.
func (l *Library) against(tx *state.Tx, s tasksequence.Sequence, origin tasksequence.Reference) (tasksequence.Sequence, error) {
	if origin.ID != "" && l.vault.masked(s) {
		record, err := tx.Sequences().Get(state.SequenceKey(origin.ID, origin.Version))
		if err == nil {
			former, openErr := fromRecord(record)
			if openErr == nil {
				former, openErr = l.vault.open(former)
			}
			if openErr != nil {
				return s, openErr
			}
			s, _ = l.vault.keep(s, former) // what stays masked is reported below
		} else if !errors.Is(err, state.ErrNotFound) {
			return s, err
		}
	}
	return l.complete(tx, s)
}

// Check reports all that is wrong with an edited sequence, JSON, and what is only a
// warning.
func (l *Library) Check(text []byte, origin tasksequence.Reference) (tasksequence.Problems, error) {
	s, err := parse(text)
	if err == nil {
		err = l.opts.Store.View(func(tx *state.Tx) error {
			_, err := l.against(tx, s, origin)
			return err
		})
	}
	var problems tasksequence.Problems
	if err == nil || errors.As(err, &problems) {
		return problems, nil
	}
	return nil, err
}

// SetStatus publishes a version (active) or deprecates it. One that was in development
// is checked first.
//
// Errors: ErrNotFound, tasksequence.Problems, *FieldError, and those of the state.
func (l *Library) SetStatus(ctx context.Context, actor Actor, id string, version int, status string) (fleet.Sequence, error) {
	if status != tasksequence.Active && status != tasksequence.Deprecated {
		return fleet.Sequence{}, &FieldError{Field: "status", Detail: fmt.Sprintf("%q is not a status to set; use active or deprecated", clean(status, maxShort))}
	}
	var stored fleet.Sequence
	err := l.opts.Store.Update(ctx, func(tx *state.Tx) error {
		old, err := tx.Sequences().Get(state.SequenceKey(id, version))
		if err != nil {
			return notFound(err)
		}
		s, err := fromRecord(old)
		if err == nil {
			s, err = l.vault.open(s)
		}
		if err != nil {
			return err
		}
		s.Status = status
		if old.Status == tasksequence.InDevelopment {
			if s, err = l.complete(tx, s); err != nil {
				return err
			}
		}
		if stored, err = l.toRecord(s); err != nil {
			return err
		}
		return tx.Sequences().Put(stored)
	})
	if err != nil {
		return fleet.Sequence{}, err
	}
	l.auditAs(ctx, actor, "sequence."+status, stored)
	return l.shown(stored)
}
