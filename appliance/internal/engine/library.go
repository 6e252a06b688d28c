package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// LibraryOptions say what a library works with. Store, Auditor and Sealer are needed.
type LibraryOptions struct {
	Store     Store
	Auditor   Auditor
	Sealer    Sealer
	Logger    *slog.Logger            // default slog.Default()
	Catalogue *tasksequence.Catalogue // default the built-in definitions
	Now       func() time.Time
	NewID     func() string // ids of new sequences; default random UUIDs
	// WinPELacks says what a Windows PE image lacks, as the engine's option.
	WinPELacks func(image string) (id string, lacking map[string]string)
	// NoWinPE says, as a sentence begins, why no Windows PE image can be put onto the disk
	// of a device ("x64", "arm64" or any); empty: one is there. nil: nobody knows.
	NoWinPE func(arch string) string
}

// Library is the library of task sequences. What it answers shows *** for secret
// settings. Safe for concurrent use.
type Library struct {
	opts  LibraryOptions
	vault vault
	shelf *shelf
}

// NewLibrary returns the library that stands in a store.
func NewLibrary(o LibraryOptions) (*Library, error) {
	if o.Store == nil || o.Auditor == nil || o.Sealer == nil {
		return nil, errors.New("library: store, auditor and sealer are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	steps := newShelf(o.Store, o.Catalogue)
	return &Library{opts: o, vault: vault{sealer: o.Sealer, catalogue: steps.now}, shelf: steps}, nil
}

// List returns every version of every sequence, without their bodies, in the order of
// ids and versions.
func (l *Library) List() (all []fleet.Sequence, err error) {
	err = l.opts.Store.View(func(tx *state.Tx) error {
		for s := range tx.Sequences().All() {
			s.Body = nil
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

// Get returns one version; version 0 asks for the newest active one, or the newest
// one when none is active. ErrNotFound.
func (l *Library) Get(id string, version int) (found fleet.Sequence, err error) {
	err = l.opts.Store.View(func(tx *state.Tx) error {
		if version != 0 {
			found, err = tx.Sequences().Get(state.SequenceKey(id, version))
			return notFound(err)
		}
		found, err = newest(tx, id, true)
		if errors.Is(err, tasksequence.ErrNoSequence) {
			found, err = newest(tx, id, false)
		}
		return missing(err)
	})
	if err != nil {
		return fleet.Sequence{}, err
	}
	return l.shown(found)
}

// shown is a record with its secrets masked.
func (l *Library) shown(record fleet.Sequence) (fleet.Sequence, error) {
	var err error
	record.Body, err = l.vault.body(record.Body, l.vault.mask)
	return record, err
}

// missing translates the language's sentinel into ours.
func missing(err error) error {
	if errors.Is(err, tasksequence.ErrNoSequence) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// Export returns a version as "json" or "yaml", in a form that Import takes. Secret
// settings are masked: imported again, *** keeps the value there is.
func (l *Library) Export(id string, version int, format string) ([]byte, error) {
	s, err := l.Get(id, version)
	if err != nil {
		return nil, err
	}
	return written(s.Body, format)
}

// Validate reports all that is wrong with a document, JSON or YAML; when it could be
// imported, what may go wrong: warnings of where its steps will run when it begins in
// the boot image. Nil when there is nothing to say.
func (l *Library) Validate(text []byte) tasksequence.Problems {
	s, err := parse(text)
	var warnings tasksequence.Problems
	if err == nil {
		err = l.opts.Store.View(func(tx *state.Tx) error {
			if s, err = l.complete(tx, s); err != nil {
				return err
			}
			warnings, err = l.foresee(tx, s)
			return err
		})
	}
	var problems tasksequence.Problems
	if err != nil && !errors.As(err, &problems) {
		problems = tasksequence.Problems{{Detail: err.Error()}}
	}
	return append(problems, warnings...)
}

func (l *Library) foresee(tx *state.Tx, s tasksequence.Sequence) (warnings tasksequence.Problems, err error) {
	from, err := sourcesIn(tx, l.shelf, l.vault.mask)
	if err != nil {
		return nil, err
	}
	doc, err := tasksequence.Pin(s, from)
	if err != nil {
		return nil, err
	}
	plan, err := doc.Plan()
	if err != nil {
		return nil, err
	}
	for _, p := range plan.Foresee(tasksequence.LinuxPE, nil) {
		p.Warning = true // it can be imported: it may begin elsewhere
		warnings = append(warnings, p)
	}
	warnings = append(warnings, l.foreseeStaging(s.Architecture, plan)...)
	if len(plan.Foresee(tasksequence.WinPE, nil).Sure()) > 0 {
		return warnings, nil // it cannot begin there anyway
	}
	for _, p := range foreseeParts(l.opts.WinPELacks, "", plan) {
		p.Warning = true // the device that runs it may have another image
		warnings = append(warnings, p)
	}
	return warnings, nil
}

// foreseeStaging reports restarts of an installed Windows, where the sequence can begin
// in one, into a Windows PE that has not been built.
func (l *Library) foreseeStaging(arch string, plan *tasksequence.Plan) (warnings tasksequence.Problems) {
	if l.opts.NoWinPE == nil || len(plan.ForeseeOn(tasksequence.FullOS, tasksequence.Windows, nil).Sure()) > 0 {
		return nil
	}
	missing := l.opts.NoWinPE(arch)
	if missing == "" {
		return nil
	}
	for _, p := range plan.ForeseeStaging(missing) {
		p.Warning = true // it may begin elsewhere
		warnings = append(warnings, p)
	}
	return warnings
}

// foreseeParts reports steps that a Windows PE image, that of the id or the one that is
// served, could not run.
func foreseeParts(lacks func(string) (string, map[string]string), image string, plan *tasksequence.Plan) tasksequence.Problems {
	if lacks == nil {
		return nil
	}
	id, lacking := lacks(image)
	if len(lacking) == 0 {
		return nil
	}
	return plan.ForeseeParts(fmt.Sprintf("the Windows PE image %.12s", id), lacking)
}

// EnsureSample puts "Hello from Slipway" into a library that holds nothing.
func (l *Library) EnsureSample(ctx context.Context) error {
	sample := tasksequence.Sample()
	return l.opts.Store.Update(ctx, func(tx *state.Tx) error {
		if tx.Sequences().Len() > 0 {
			return nil
		}
		record, err := l.toRecord(sample)
		if err != nil {
			return err
		}
		return tx.Sequences().Put(record)
	})
}

// toRecord is a sequence as the state holds it, its secrets sealed.
func (l *Library) toRecord(s tasksequence.Sequence) (fleet.Sequence, error) {
	s, err := l.vault.seal(s)
	if err != nil {
		return fleet.Sequence{}, err
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fleet.Sequence{}, fmt.Errorf("write the task sequence: %w", err)
	}
	if len(body) > maxBody {
		return fleet.Sequence{}, fmt.Errorf("%w: the task sequence is %d bytes long; at most %d can be kept", ErrTooLarge, len(body), maxBody)
	}
	return fleet.Sequence{ID: s.ID, Version: s.Version, Name: s.Name, Description: s.Description,
		Architecture: s.Architecture, Status: s.Status, Body: body, UpdatedAt: l.opts.Now()}, nil
}

// lookupIn finds child sequences within a transaction, each through fn.
func lookupIn(tx *state.Tx, fn func(tasksequence.Sequence) (tasksequence.Sequence, error)) tasksequence.Lookup {
	return func(ref tasksequence.Reference) (tasksequence.Sequence, error) {
		var record fleet.Sequence
		var err error
		if ref.Version == 0 {
			record, err = newest(tx, ref.ID, true)
		} else if record, err = tx.Sequences().Get(state.SequenceKey(ref.ID, ref.Version)); errors.Is(err, state.ErrNotFound) {
			err = fmt.Errorf("%s: %w", ref, tasksequence.ErrNoSequence)
		}
		if err != nil {
			return tasksequence.Sequence{}, err
		}
		s, err := fromRecord(record)
		if err != nil {
			return tasksequence.Sequence{}, err
		}
		return fn(s)
	}
}

// newest returns the highest version of a sequence, of the active ones if asked.
func newest(tx *state.Tx, id string, active bool) (found fleet.Sequence, err error) {
	for s := range tx.Sequences().ByID(id) {
		if (!active || s.Status == tasksequence.Active) && s.Version > found.Version {
			found = s
		}
	}
	if found.Version == 0 {
		return found, fmt.Errorf("%s: %w", id, tasksequence.ErrNoSequence)
	}
	return found, nil
}

// fromRecord returns a sequence as it is kept, its secrets sealed.
func fromRecord(record fleet.Sequence) (s tasksequence.Sequence, err error) {
	if err := json.Unmarshal(record.Body, &s); err != nil {
		return s, fmt.Errorf("the stored task sequence %s:%d: %w", record.ID, record.Version, err)
	}
	return s, nil
}
