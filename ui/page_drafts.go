package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/edit"
	"slipway/ui/internal/view"
)

// openDraft begins to edit a version, or goes on with the draft there is.
func (c *Console) openDraft(v *visit) error {
	id := v.param("id")
	version, err := strconv.Atoi(v.form("version"))
	if err != nil {
		return ErrNotFound
	}
	if v.form("clone") == "yes" {
		return c.cloneSequence(v, id, version)
	}
	if body, err := c.backend.Drafts.Get(v.ctx(), v.account.Name, id); err == nil {
		if d, err := edit.Read(body); err == nil && !d.Saved {
			http.Redirect(v.w, v.r, view.EditURL(id, ""), http.StatusSeeOther)
			return nil
		}
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	d, err := c.draftOf(v, id, version)
	if err != nil {
		return err
	}
	return c.startDraft(v, id, d)
}

func (c *Console) startDraft(v *visit, id string, d *edit.Draft) error {
	if err := c.keepDraft(v, id, d); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, view.EditURL(id, ""), http.StatusSeeOther)
	return nil
}

// draftOf is a draft of a version in the library.
func (c *Console) draftOf(v *visit, id string, version int) (*edit.Draft, error) {
	record, err := c.backend.Sequences.Get(v.ctx(), id, version)
	if err != nil {
		return nil, err
	}
	var s tasksequence.Sequence
	if err := json.Unmarshal(record.Body, &s); err != nil {
		return nil, &Refused{Reason: "This version cannot be edited: it was stored by another version of Slipway, or is damaged."}
	}
	all, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return nil, err
	}
	s.ID = id
	return edit.New(s, baseOf(all, record), c.now()), nil
}

// baseOf is what saving compares with: a version in development is replaced, of any
// other a new version is made.
func baseOf(all []fleet.Sequence, record fleet.Sequence) edit.Base {
	b := edit.Base{Origin: tasksequence.Reference{ID: record.ID, Version: record.Version}}
	for _, s := range all {
		if s.ID == record.ID {
			b.Newest = max(b.Newest, s.Version)
		}
	}
	if record.Status == tasksequence.InDevelopment {
		b.Replaces, b.ChangedAt = record.Version, record.UpdatedAt
	}
	return b
}

// cloneSequence begins a new sequence that is like a version of another.
func (c *Console) cloneSequence(v *visit, id string, version int) error {
	d, err := c.draftOf(v, id, version)
	if err != nil {
		return err
	}
	s := d.Sequence
	s.ID, s.Name = uuid.NewString(), "Copy of "+s.Name
	return c.startDraft(v, s.ID, edit.New(s, edit.Base{Origin: d.Base.Origin}, c.now()))
}

func (c *Console) showNewSequence(v *visit) error {
	return c.newSequenceForm(v, http.StatusOK, view.NewSequenceView{})
}

func (c *Console) newSequenceForm(v *visit, status int, out view.NewSequenceView) error {
	p, err := c.page(v, "New task sequence", "sequences", "")
	if err != nil {
		return err
	}
	templates, err := c.backend.Sequences.Templates(v.ctx())
	if err != nil {
		return err
	}
	for _, t := range templates {
		out.Templates = append(out.Templates, view.TemplateRow{ID: t.ID, Name: t.Name, Description: t.Description,
			Steps: view.Count(countSteps(t.Sequence.Steps), "step", "steps")})
	}
	return c.draw(v, status, view.NewSequence(p, out))
}

func countSteps(nodes []tasksequence.Node) (n int) {
	for i := range nodes {
		if !nodes[i].IsGroup() {
			n++
		}
		n += countSteps(nodes[i].Steps)
	}
	return n
}

// newSequence begins blank or from a template. Nothing is in the library before the
// first save.
func (c *Console) newSequence(v *visit) error {
	out := view.NewSequenceView{Name: strings.TrimSpace(v.form("name")), Chosen: v.form("template")}
	if out.Name == "" {
		out.Error = "Give it a name: technicians choose it by that."
		return c.newSequenceForm(v, http.StatusUnprocessableEntity, out)
	}
	s := tasksequence.Sequence{Format: tasksequence.Format, Steps: []tasksequence.Node{}}
	if out.Chosen != "" {
		templates, err := c.backend.Sequences.Templates(v.ctx())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(templates, func(t Template) bool { return t.ID == out.Chosen })
		if i < 0 {
			return ErrNotFound
		}
		s = templates[i].Sequence
	}
	s.ID, s.Version, s.Name, s.Status = uuid.NewString(), 0, out.Name, tasksequence.InDevelopment
	return c.startDraft(v, s.ID, edit.New(s, edit.Base{}, c.now()))
}

func (c *Console) discardDraft(v *visit, b *bench) error {
	if err := c.backend.Drafts.Remove(v.ctx(), v.account.Name, b.id); err != nil {
		return err
	}
	if b.draft.Base.Newest == 0 {
		return done(v, view.SequencesURL, "discarded")
	}
	return done(v, view.SequenceURL(b.id, 0), "discarded")
}

// closeDraft leaves the editor; a draft with something to save stays.
func (c *Console) closeDraft(v *visit, b *bench) error {
	to := view.SequencesURL
	if b.draft.Base.Newest > 0 {
		to = view.SequenceURL(b.id, b.draft.Base.Origin.Version)
	}
	if b.draft.Saved {
		if err := c.backend.Drafts.Remove(v.ctx(), v.account.Name, b.id); err != nil {
			return err
		}
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// document is the draft as the library takes it.
func document(d *edit.Draft, id, status string, version int) ([]byte, error) {
	s := d.Sequence
	s.ID, s.Version, s.Status = id, version, status
	return json.Marshal(s)
}

// saveDraft stores the draft in the library, as a version in development or active.
func (c *Console) saveDraft(v *visit, b *bench, node string) error {
	d := b.draft
	if len(d.Typed) > 0 && slices.ContainsFunc(typedProblems(d), func(p tasksequence.Problem) bool { return true }) {
		return c.drawEditor(v, http.StatusUnprocessableEntity, b, node, view.EditorView{Problem: "It is not saved yet: mend what is marked first."})
	}
	status, notice := tasksequence.InDevelopment, "saved"
	if v.form("do") == "publish" {
		status, notice = tasksequence.Active, "published"
	}
	base := d.Base
	if v.form("do") == "save-new" {
		base.Replaces = 0
		all, err := c.backend.Sequences.List(v.ctx())
		if err != nil {
			return err
		}
		base.Newest = baseOf(all, fleet.Sequence{ID: b.id}).Newest
	}
	body, err := document(d, b.id, status, base.Replaces)
	if err != nil {
		return err
	}
	saved, err := c.backend.Sequences.Save(v.ctx(), v.actor(), SaveRequest{Document: body, Origin: base.Origin, Newest: base.Newest, ChangedAt: base.ChangedAt})
	if err != nil {
		return c.notSaved(v, b, node, err)
	}
	if status == tasksequence.Active {
		if err := c.backend.Drafts.Remove(v.ctx(), v.account.Name, b.id); err != nil {
			return err
		}
		return done(v, view.SequenceURL(b.id, saved.Version), notice)
	}
	if err := c.rebase(v, b, saved); err != nil {
		return err
	}
	return done(v, view.EditURL(b.id, node), notice)
}

// rebase lets the draft go on from what was saved; what can be taken back stays.
func (c *Console) rebase(v *visit, b *bench, saved fleet.Sequence) error {
	var shown tasksequence.Sequence
	if err := json.Unmarshal(saved.Body, &shown); err != nil {
		return err
	}
	b.draft.Sequence = shown // secrets are masked now
	b.draft.Base = edit.Base{Origin: tasksequence.Reference{ID: b.id, Version: saved.Version}, Newest: max(b.draft.Base.Newest, saved.Version),
		Replaces: saved.Version, ChangedAt: saved.UpdatedAt}
	b.draft.Saved, b.draft.Typed = true, nil
	b.draft.Revision++
	return c.keepDraft(v, b.id, b.draft)
}

func (c *Console) notSaved(v *visit, b *bench, node string, err error) error {
	var conflict *Conflict
	var problems tasksequence.Problems
	switch {
	case errors.As(err, &conflict):
		text := "Version " + strconv.Itoa(conflict.Version) + " stands in the library now (" + statusWords(conflict.Status) + ", " + view.Ago(c.now(), conflict.ChangedAt) + ")."
		return c.drawEditor(v, http.StatusConflict, b, node, view.EditorView{Conflict: text})
	case errors.As(err, &problems):
		return c.drawEditor(v, http.StatusUnprocessableEntity, b, node, view.EditorView{Problem: "It is not saved yet: mend what is marked first."})
	}
	if _, text, _, ok := inForm(err); ok {
		return c.drawEditor(v, http.StatusConflict, b, node, view.EditorView{Problem: text})
	}
	return err
}

func statusWords(status string) string {
	switch status {
	case tasksequence.Active:
		return "active"
	case tasksequence.Deprecated:
		return "deprecated"
	}
	return "in development"
}

// setSequenceStatus publishes or deprecates a version.
func (c *Console) setSequenceStatus(v *visit) error {
	version, err := strconv.Atoi(v.form("version"))
	if err != nil {
		return ErrNotFound
	}
	status, notice := v.form("status"), "published"
	if status == tasksequence.Deprecated {
		notice = "deprecated"
	}
	_, err = c.backend.Sequences.SetStatus(v.ctx(), v.actor(), v.param("id"), version, status)
	var problems tasksequence.Problems
	if errors.As(err, &problems) {
		return &Refused{Reason: "It cannot be published as it is. " + problems.Error()}
	}
	if err != nil {
		return err
	}
	return done(v, view.SequenceURL(v.param("id"), version), notice)
}
