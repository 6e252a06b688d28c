// Package edit changes a task sequence that somebody is working on: a draft. Each
// change is one call that leaves a sequence that can be drawn, whatever is wrong
// with it, and can be taken back. It knows no HTTP and no backend.
package edit

import (
	"encoding/json"
	"fmt"
	"time"

	"slipway/tasksequence"
)

// Format is the number of the form in which a draft is kept.
const Format = 1

// Draft is a task sequence under somebody's hands.
type Draft struct {
	Format   int                   `json:"format"`
	Revision int                   `json:"revision"` // rises with each change
	Sequence tasksequence.Sequence `json:"sequence"`
	Base     Base                  `json:"base"`
	Saved    bool                  `json:"saved,omitempty"` // nothing was changed since it was saved
	// Typed is what was typed and could not be read, by Key: it is shown again.
	Typed     map[string]string `json:"typed,omitempty"`
	Past      []Change          `json:"past,omitempty"`   // oldest first
	Future    []Change          `json:"future,omitempty"` // nearest last
	ChangedAt time.Time         `json:"changedAt"`
}

// Base is what the library held when the work began; saving compares.
type Base struct {
	Origin    tasksequence.Reference `json:"origin,omitzero"`    // where masked secrets have their values
	Newest    int                    `json:"newest,omitempty"`   // highest version of the sequence then
	Replaces  int                    `json:"replaces,omitempty"` // the version in development that saving replaces
	ChangedAt time.Time              `json:"changedAt,omitzero"` // when that version was changed last
}

// Change is a state of the sequence with what led away from it.
type Change struct {
	Title    string                `json:"title"` // e.g. "Remove Format disk"
	Sequence tasksequence.Sequence `json:"sequence"`
	Typed    map[string]string     `json:"typed,omitempty"`
}

// Bounds of what can be taken back.
const (
	maxChanges   = 100
	maxPastBytes = 4 << 20
)

// New returns a draft of a sequence.
func New(s tasksequence.Sequence, base Base, now time.Time) *Draft {
	tasksequence.AssignIDs(&s)
	return &Draft{Format: Format, Revision: 1, Sequence: s, Base: base, Saved: base.Newest > 0, ChangedAt: now}
}

// Read reads a kept draft.
func Read(text []byte) (*Draft, error) {
	var d Draft
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read the draft: %w", err)
	}
	if d.Format != Format {
		return nil, fmt.Errorf("read the draft: format %d is not known", d.Format)
	}
	return &d, nil
}

// Do makes a change that can be taken back. fn gets a sequence of its own; an error
// of it leaves the draft as it was. A change that changes nothing is none.
func (d *Draft) Do(title string, now time.Time, fn func(s *tasksequence.Sequence, typed map[string]string) error) error {
	before := Change{Title: title, Sequence: d.Sequence, Typed: d.Typed}
	after, err := clone(Change{Sequence: d.Sequence, Typed: d.Typed})
	if err != nil {
		return err
	}
	if after.Typed == nil {
		after.Typed = map[string]string{}
	}
	if err := fn(&after.Sequence, after.Typed); err != nil {
		return err
	}
	if same(before, after) {
		return nil
	}
	d.Past, d.Future = append(d.Past, before), nil
	d.trim()
	d.put(after, now)
	return nil
}

// Undo takes the last change back, and Redo makes it again.
func (d *Draft) Undo(now time.Time) { d.swap(&d.Past, &d.Future, now) }

// Redo makes the change again that was taken back last.
func (d *Draft) Redo(now time.Time) { d.swap(&d.Future, &d.Past, now) }

func (d *Draft) swap(from, to *[]Change, now time.Time) {
	if len(*from) == 0 {
		return
	}
	last := len(*from) - 1
	c := (*from)[last]
	*from = (*from)[:last]
	*to = append(*to, Change{Title: c.Title, Sequence: d.Sequence, Typed: d.Typed})
	d.put(c, now)
}

// Next is what Undo and Redo would do; empty when there is nothing.
func (d *Draft) Next() (undo, redo string) {
	if n := len(d.Past); n > 0 {
		undo = d.Past[n-1].Title
	}
	if n := len(d.Future); n > 0 {
		redo = d.Future[n-1].Title
	}
	return undo, redo
}

func (d *Draft) put(c Change, now time.Time) {
	d.Sequence, d.Typed = c.Sequence, c.Typed
	d.Revision++
	d.Saved, d.ChangedAt = false, now
}

// trim forgets the oldest changes.
func (d *Draft) trim() {
	if n := len(d.Past) - maxChanges; n > 0 {
		d.Past = d.Past[n:]
	}
	size := 0
	for i := len(d.Past) - 1; i >= 0; i-- {
		text, err := json.Marshal(d.Past[i])
		if size += len(text); err != nil || size > maxPastBytes {
			d.Past = d.Past[i+1:]
			return
		}
	}
}

func clone(c Change) (out Change, err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return out, fmt.Errorf("copy the draft: %w", err)
	}
	return out, json.Unmarshal(text, &out)
}

func same(a, b Change) bool {
	a.Title, b.Title = "", ""
	if len(b.Typed) == 0 {
		b.Typed = nil
	}
	if len(a.Typed) == 0 {
		a.Typed = nil
	}
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

// Name gives the change that was made last its title, when it has none.
func (d *Draft) Name(title string) {
	if n := len(d.Past); n > 0 && d.Past[n-1].Title == "" {
		d.Past[n-1].Title = title
	}
}
