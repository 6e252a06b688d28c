package ui

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/fleet"
)

type fakeSequences struct{ *fake }

func (f fakeSequences) List(context.Context) ([]fleet.Sequence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sequences), nil
}

func (f fakeSequences) Get(_ context.Context, id string, version int) (fleet.Sequence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sequences {
		if s.ID == id && s.Version == version {
			return s, nil
		}
	}
	return fleet.Sequence{}, ErrNotFound
}

func (f fakeSequences) Import(_ context.Context, by Actor, document []byte) (fleet.Sequence, error) {
	var s fleet.Sequence
	if err := json.Unmarshal(document, &s); err != nil || s.ID == "" {
		return s, &FieldError{Field: "file", Detail: "line 1: this is no task sequence.\nIt needs an id and a name."}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Version = 1
	for _, have := range f.sequences {
		if have.ID == s.ID {
			s.Version = max(s.Version, have.Version+1)
		}
	}
	s.Body, s.UpdatedAt, s.Status = document, f.now(), cmp.Or(s.Status, "development")
	f.sequences = append(f.sequences, s)
	f.note(by, "sequence.imported", s.ID, "ok")
	f.tell(Change{Kind: ChangeSequence, ID: s.ID})
	return s, nil
}

func (f fakeSequences) Export(ctx context.Context, id string, version int, format string) ([]byte, error) {
	s, err := f.Get(ctx, id, version)
	if err != nil {
		return nil, err
	}
	if format == "yaml" {
		return []byte("id: " + s.ID + "\n"), nil
	}
	return s.Body, nil
}

type fakeImages struct{ *fake }

func (f fakeImages) List(context.Context) ([]fleet.BootImage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.images), nil
}

func (f fakeImages) Builds(context.Context) ([]fleet.ImageBuild, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.builds), nil
}

func (f fakeImages) Build(_ context.Context, by Actor, kind string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind != "linux" {
		return "", &Refused{Reason: "Windows PE images are not in this version."}
	}
	if len(f.builds) > 0 && f.builds[0].State == "running" {
		return f.builds[0].ID, nil
	}
	b := fleet.ImageBuild{ID: rand.Text()[:8], Kind: kind, State: "running", Stage: "Resolving packages", StartedAt: f.now()}
	f.builds = slices.Insert(f.builds, 0, b)
	f.note(by, "image.build", kind, "ok")
	f.tell(Change{Kind: ChangeBuild, ID: b.ID})
	return b.ID, nil
}

type fakeAudit struct{ *fake }

func (f fakeAudit) Recent(_ context.Context, q AuditQuery) ([]fleet.AuditEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q.Limit < 1 || q.Limit > 500 {
		return nil, fmt.Errorf("limit %d", q.Limit)
	}
	var out []fleet.AuditEntry
	for _, e := range slices.Backward(f.audit) {
		text := strings.ToLower(strings.Join([]string{e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason}, " "))
		if (q.Before == 0 || e.Number < q.Before) && e.Number > q.After && (q.Actor == "" || e.Actor == q.Actor) && strings.HasPrefix(e.Action, q.Action) &&
			(q.Device == "" || e.Device == q.Device || e.Object == q.Device) && (q.Outcome == "" || e.Outcome == q.Outcome) &&
			(q.Address == "" || e.Address == q.Address) && !e.Time.Before(q.Since) && (q.Until.IsZero() || e.Time.Before(q.Until)) &&
			strings.Contains(text, strings.ToLower(q.Text)) {
			out = append(out, e)
		}
	}
	if q.After > 0 {
		return out[max(0, len(out)-q.Limit):], nil
	}
	return out[:min(len(out), q.Limit)], nil
}

func (f fakeAudit) Export(ctx context.Context, _ Actor, w io.Writer, q AuditQuery, format string) error {
	if f.readOnly { // stands for a log that cannot be read
		_, err := w.Write([]byte("half a l"))
		return errors.Join(err, errors.New("the rest cannot be read"))
	}
	q.Before, q.Limit = 0, 500
	list, err := f.Recent(ctx, q)
	for _, e := range slices.Backward(list) {
		if format == FormatCSV {
			fmt.Fprintf(w, "%d,%s,%s\n", e.Number, e.Actor, e.Action)
		} else if err := json.NewEncoder(w).Encode(e); err != nil {
			return err
		}
	}
	return err
}

type fakeHealth struct{ *fake }

func (f fakeHealth) Checks(context.Context) ([]Check, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.checks), nil
}

func (f fakeHealth) Version() string { return "0.1.0" }

type fakeLive struct{ *fake }

func (f fakeLive) Subscribe(ctx context.Context) <-chan Change {
	ch := make(chan Change, 1024)
	f.mu.Lock()
	f.subscribers = append(f.subscribers, ch)
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.subscribers = slices.DeleteFunc(f.subscribers, func(x chan Change) bool { return x == ch })
		close(ch)
	})
	return ch
}

// brokenDevices fails in a way nobody foresaw.
type brokenDevices struct{ Devices }

func (brokenDevices) List(context.Context) ([]fleet.Device, error) {
	return nil, fmt.Errorf("internal detail: %w", context.DeadlineExceeded)
}
