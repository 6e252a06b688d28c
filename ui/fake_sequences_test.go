package ui

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/tasksequence"
)

func (f fakeSequences) Definitions(context.Context) ([]tasksequence.Definition, error) {
	own := tasksequence.Definition{Format: 1, ID: "join-domain", Version: 1, Name: "Join the domain", Category: "Own", Description: "Joins the site's domain.",
		Environments: []string{tasksequence.FullOS}, Executor: "script", Options: []tasksequence.Option{
			{Name: "Password", Label: "Password", Type: tasksequence.TypeText, Secret: true, Required: true, Help: "Of the account that joins."}}}
	return append(tasksequence.Builtin(), own), nil
}

func (f fakeSequences) Templates(context.Context) ([]Template, error) {
	s := tasksequence.Sample()
	s.ID, s.Version = "", 0
	return []Template{{ID: "hello", Name: s.Name, Description: s.Description, Sequence: s}}, nil
}

func (f fakeSequences) catalogue(ctx context.Context) *tasksequence.Catalogue {
	all, err := f.Definitions(ctx)
	if err != nil {
		panic(err)
	}
	c, err := tasksequence.NewCatalogue(all...)
	if err != nil {
		panic(err)
	}
	return c
}

func (f fakeSequences) Check(ctx context.Context, document []byte, _ tasksequence.Reference) (tasksequence.Problems, error) {
	s, err := tasksequence.ParseSequence(document)
	var problems tasksequence.Problems
	if errors.As(err, &problems) {
		return problems, nil
	}
	return tasksequence.Check(s, f.catalogue(ctx)), err
}

func (f fakeSequences) Save(ctx context.Context, by Actor, r SaveRequest) (fleet.Sequence, error) {
	problems, err := f.Check(ctx, r.Document, r.Origin)
	if err != nil || len(problems) > 0 {
		return fleet.Sequence{}, errors.Join(err, problems.Err())
	}
	var s tasksequence.Sequence
	if err := json.Unmarshal(r.Document, &s); err != nil {
		return fleet.Sequence{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := fleet.Sequence{}
	at := -1
	for i, have := range f.sequences {
		if have.ID == s.ID && have.Version > newest.Version {
			newest = have
		}
		if have.ID == s.ID && have.Version == s.Version {
			at = i
		}
	}
	if s.Version == 0 && newest.Version != r.Newest || s.Version != 0 && (at < 0 || !f.sequences[at].UpdatedAt.Equal(r.ChangedAt)) {
		return fleet.Sequence{}, &Conflict{Version: newest.Version, Status: newest.Status, ChangedAt: newest.UpdatedAt}
	}
	if s.Version == 0 {
		s.Version = newest.Version + 1
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fleet.Sequence{}, err
	}
	record := fleet.Sequence{ID: s.ID, Version: s.Version, Name: s.Name, Description: s.Description, Architecture: s.Architecture, Status: s.Status, Body: body, UpdatedAt: f.now()}
	if at >= 0 {
		f.sequences[at] = record
	} else {
		f.sequences = append(f.sequences, record)
	}
	f.note(by, "sequence.saved", s.ID, "ok")
	f.tell(Change{Kind: ChangeSequence, ID: s.ID})
	return record, nil
}

func (f fakeSequences) SetStatus(_ context.Context, by Actor, id string, version int, status string) (fleet.Sequence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.sequences, func(s fleet.Sequence) bool { return s.ID == id && s.Version == version })
	if i < 0 {
		return fleet.Sequence{}, ErrNotFound
	}
	if status != tasksequence.Active && status != tasksequence.Deprecated {
		return fleet.Sequence{}, &Refused{Reason: "There is no such status."}
	}
	f.sequences[i].Status = status
	f.note(by, "sequence.status", id, "ok")
	return f.sequences[i], nil
}

type fakeDrafts struct{ *fake }

func (f fakeDrafts) Get(_ context.Context, account, sequence string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if body, ok := f.drafts[account+"\n"+sequence]; ok {
		return body, nil
	}
	return nil, ErrNotFound
}

func (f fakeDrafts) Put(_ context.Context, account, sequence string, draft []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drafts[account+"\n"+sequence] = draft
	return nil
}

func (f fakeDrafts) Remove(_ context.Context, account, sequence string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.drafts, account+"\n"+sequence)
	return nil
}

func (f fakeDrafts) List(_ context.Context, account string) (map[string][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string][]byte{}
	for key, body := range f.drafts {
		if name, id, _ := strings.Cut(key, "\n"); name == account {
			out[id] = body
		}
	}
	return out, nil
}
