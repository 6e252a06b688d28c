package ui

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"

	"slipway/fleet"
	"slipway/ui/internal/edit"
	"slipway/ui/internal/view"
)

func (c *Console) showSequences(v *visit) error { return c.sequences(v, http.StatusOK, "", "") }

func (c *Console) sequences(v *visit, status int, importError, problem string) error {
	p, err := c.page(v, "Task sequences", "sequences", "changed:sequence")
	if err != nil {
		return err
	}
	all, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return err
	}
	drafts, err := c.draftRows(v)
	if err != nil {
		return err
	}
	return c.draw(v, status, view.Sequences(p, view.SequencesView{Rows: newestVersions(all), Drafts: drafts, ImportError: importError, Problem: problem}))
}

// draftRows are the visitor's drafts that are not saved, the latest first.
func (c *Console) draftRows(v *visit) ([]view.DraftRow, error) {
	if !v.account.Role.Includes(fleet.RoleAdministrator) {
		return nil, nil
	}
	kept, err := c.backend.Drafts.List(v.ctx(), v.account.Name)
	if err != nil {
		return nil, err
	}
	var rows []view.DraftRow
	for id, body := range kept {
		if d, err := edit.Read(body); err == nil && !d.Saved {
			rows = append(rows, view.DraftRow{ID: id, Name: cmp.Or(d.Sequence.Name, "no name"), ChangedAt: d.ChangedAt})
		}
	}
	slices.SortFunc(rows, func(a, b view.DraftRow) int { return b.ChangedAt.Compare(a.ChangedAt) })
	return rows, nil
}

// newestVersions is one row per sequence, by name.
func newestVersions(all []fleet.Sequence) []view.SequenceRow {
	byID := map[string]view.SequenceRow{}
	for _, s := range all {
		row := byID[s.ID]
		if row.Versions == 0 || s.Version > row.S.Version {
			row.S = s
		}
		if s.Status == "active" && s.Version > row.Active {
			row.Active = s.Version
		}
		row.Versions++
		byID[s.ID] = row
	}
	rows := make([]view.SequenceRow, 0, len(byID))
	for _, r := range byID {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b view.SequenceRow) int {
		if n := compareText(a.S.Name, b.S.Name); n != 0 {
			return n
		}
		return compareText(a.S.ID, b.S.ID)
	})
	return rows
}

func (c *Console) importSequence(v *visit) error {
	file, _, err := v.r.FormFile("file")
	if err != nil {
		return c.sequences(v, http.StatusUnprocessableEntity, "Choose a file first.", "")
	}
	defer func() { _ = file.Close() }() // read only
	body, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	s, err := c.backend.Sequences.Import(v.ctx(), v.actor(), body)
	if err == nil {
		return done(v, view.SequenceURL(s.ID, 0), "imported")
	}
	var fe *FieldError
	if errors.As(err, &fe) {
		return c.sequences(v, http.StatusUnprocessableEntity, fe.Detail, "")
	}
	if _, text, _, ok := inForm(err); ok {
		return c.sequences(v, http.StatusConflict, "", text)
	}
	return err
}
