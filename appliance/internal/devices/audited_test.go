package devices

import (
	"context"
	"errors"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

type auditLines []fleet.AuditEntry

func (r *auditLines) Write(_ context.Context, e fleet.AuditEntry) error {
	*r = append(*r, e)
	return nil
}

func adminOf(t *testing.T) (*Admin, *auditLines, fleet.Device) {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := New(Options{Store: store})
	d, err := s.Resolve(t.Context(), fleet.Claim{MACs: []string{"52:54:00:00:00:01"}}, Seen{SignedIn: true})
	if err != nil {
		t.Fatal(err)
	}
	lines := &auditLines{}
	return NewAdmin(s, lines), lines, d
}

func TestEveryChangeOfADeviceIsAudited(t *testing.T) {
	a, lines, d := adminOf(t)
	by := Actor{Name: "anna", Address: "192.0.2.1"}
	if err := a.Rename(t.Context(), by, d.ID, "PC-1"); err != nil {
		t.Fatal(err)
	}
	if err := a.SetBoot(t.Context(), by, "PC-1", fleet.BootDisk, true); err != nil {
		t.Fatal(err)
	}
	if err := a.Assign(t.Context(), by, d.ID, "no-such"); !errors.Is(err, ErrUnknownSequence) {
		t.Fatalf("got %v", err)
	}
	if len(*lines) != 3 {
		t.Fatalf("audit %+v", *lines)
	}
	for i, want := range []string{"device.renamed ok", "device.boot ok", "device.assigned error"} {
		e := (*lines)[i]
		if e.Action+" "+e.Outcome != want || e.Actor != "anna" || e.Device != d.ID {
			t.Errorf("entry %d is %+v, want %s", i, e, want)
		}
	}
}

func TestFactsAreBoundedAndClean(t *testing.T) {
	a, _, d := adminOf(t)
	facts := map[string]string{"Model": "X\x1b[31m\nY", "Long": strings.Repeat("é", 2000), "Architecture": "x64"}
	if err := a.SetFacts(t.Context(), d.ID, facts); err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(t.Context(), d.ID)
	if err != nil || got.Facts["Model"] != "X[31mY" || len(got.Facts["Long"]) > maxFactValue || got.Architecture != "x64" {
		t.Errorf("%+v, %v", got.Facts["Model"], err)
	}
	many := map[string]string{}
	for i := range maxFacts + 1 {
		many[strings.Repeat("n", 1+i%60)+string(rune('a'+i%26))+strings.Repeat("x", i%3)] = "v"
	}
	for i := 0; len(many) <= maxFacts; i++ {
		many["more"+strings.Repeat("y", i%50)+string(rune('a'+i/50))] = "v"
	}
	if err := a.SetFacts(t.Context(), d.ID, many); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d facts: %v", len(many), err)
	}
	if err := a.SetFacts(t.Context(), d.ID, map[string]string{"bad\nname": "v"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
	if err := a.SetFacts(t.Context(), "none", facts); !errors.Is(err, ErrNotFound) {
		t.Errorf("no device: %v", err)
	}
}
