package console

import (
	"context"
	"errors"

	"slipway/appliance/internal/drafts"
	"slipway/appliance/internal/engine"
	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui"
)

type sequences struct{ library *engine.Library }

func (s sequences) List(context.Context) ([]fleet.Sequence, error) {
	list, err := s.library.List()
	return list, translate(err)
}

func (s sequences) Get(_ context.Context, id string, version int) (fleet.Sequence, error) {
	x, err := s.library.Get(id, version)
	return x, translate(err)
}

func (s sequences) Import(ctx context.Context, by ui.Actor, document []byte) (fleet.Sequence, error) {
	x, err := s.library.Import(ctx, engineActor(by), document)
	return x, translate(err)
}

func (s sequences) Export(_ context.Context, id string, version int, format string) ([]byte, error) {
	body, err := s.library.Export(id, version, format)
	return body, translate(err)
}

func (s sequences) Definitions(context.Context) ([]tasksequence.Definition, error) {
	list, err := s.library.Definitions()
	return list, translate(err)
}

func (s sequences) Templates(context.Context) (out []ui.Template, err error) {
	for _, t := range s.library.Templates() {
		out = append(out, ui.Template{ID: t.ID, Name: t.Name, Description: t.Description, Sequence: t.Sequence})
	}
	return out, nil
}

func (s sequences) Check(_ context.Context, document []byte, origin tasksequence.Reference) (tasksequence.Problems, error) {
	problems, err := s.library.Check(document, origin)
	return problems, translate(err)
}

func (s sequences) Save(ctx context.Context, by ui.Actor, r ui.SaveRequest) (fleet.Sequence, error) {
	x, err := s.library.Save(ctx, engineActor(by), r.Document, engine.Edit{Origin: r.Origin, Newest: r.Newest, ChangedAt: r.ChangedAt})
	return x, edited(err)
}

func (s sequences) SetStatus(ctx context.Context, by ui.Actor, id string, version int, status string) (fleet.Sequence, error) {
	x, err := s.library.SetStatus(ctx, engineActor(by), id, version, status)
	return x, edited(err)
}

// edited keeps what the editor shows beside its fields.
func edited(err error) error {
	var problems tasksequence.Problems
	var conflict *engine.ConflictError
	switch {
	case errors.As(err, &problems):
		return problems
	case errors.As(err, &conflict):
		return &ui.Conflict{Version: conflict.Current.Version, Status: conflict.Current.Status, ChangedAt: conflict.Current.UpdatedAt}
	}
	return translate(err)
}

type draftStore struct{ drafts *drafts.Store }

func (d draftStore) Get(_ context.Context, account, sequence string) ([]byte, error) {
	body, err := d.drafts.Get(account, sequence)
	return body, translate(err)
}

func (d draftStore) Put(_ context.Context, account, sequence string, draft []byte) error {
	return translate(d.drafts.Put(account, sequence, draft))
}

func (d draftStore) Remove(_ context.Context, account, sequence string) error {
	return translate(d.drafts.Remove(account, sequence))
}

func (d draftStore) List(_ context.Context, account string) (map[string][]byte, error) {
	list, err := d.drafts.List(account)
	return list, translate(err)
}
