package console

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/ui"
)

type noAudit struct{}

func (noAudit) Write(context.Context, fleet.AuditEntry) error { return nil }

// TestContentJobsAreLive: the console's stream hears of a job, and of the version
// that it made under its item.
func TestContentJobsAreLive(t *testing.T) {
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := content.New(content.Options{Store: store, Dir: t.TempDir(), Audit: noAudit{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	heard, ready := make(chan ui.Change, 100), make(chan struct{})
	versions := store.Subscribe(ctx, "contentversions")
	go func() { // ends with stop
		close(ready)
		jobChanges(ctx, s, func(c ui.Change) { heard <- c })
		close(heard)
	}()
	<-ready
	var ids []string
	for len(heard) == 0 { // until it has subscribed
		j, err := s.Import(t.Context(), content.Actor{}, content.Import{Name: "A", Purpose: "other", Path: path})
		if err == nil {
			_, err = s.Wait(t.Context(), j.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	stop()
	if c := <-heard; c.Kind != ui.ChangeContentJob || !slices.Contains(ids, c.ID) { // an earlier job's end may be told late
		t.Errorf("heard %+v, the jobs are %v", c, ids)
	}
	for range heard {
	}
	item, err := s.Item("A")
	if err != nil {
		t.Fatal(err)
	}
	c := <-versions
	if got := ownerOf(c.Table, c.Key); tables[c.Table] != ui.ChangeContent || got != item.ID {
		t.Errorf("a change of %s under %q, want %q", tables[c.Table], got, item.ID)
	}
	if got := ownerOf("results", "d/1"); got != "d" {
		t.Errorf("a result's deployment is %q", got)
	}
}
