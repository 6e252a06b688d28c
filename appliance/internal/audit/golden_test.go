package audit

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"slipway/fleet"
)

var update = flag.Bool("update", false, "write the golden files anew: only for a new format number")

const golden = "testdata/format-1.jsonl"

func goldenEntries() []fleet.AuditEntry {
	at := time.Date(2026, 11, 21, 8, 30, 0, 125e6, time.UTC)
	return []fleet.AuditEntry{
		{Time: at, Actor: "local", Action: "passcode.set", Outcome: "ok"},
		{
			Time: at.Add(time.Second), Actor: "device", Action: "passcode.refused", Object: "linuxpe",
			Device: "4c4c4544-0042", Address: "192.0.2.7", Outcome: "refused", Reason: "wrong",
		},
		{
			Time: at.Add(time.Minute), Actor: "Jürgen <j@example.org>", Action: "account.added",
			Object: "eva", Address: "2001:db8::5", Outcome: "ok", Reason: "role technician & \"more\"",
		},
	}
}

// The format on disk is promised: every version reads it and writes it alike.
func TestFormatGolden(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	for _, e := range goldenEntries() {
		write(t, l, e)
	}
	have, err := os.ReadFile(filepath.Join(dir, "audit-00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("the format changed:\nhave %s\nwant %s", have, want)
	}
}

func TestGoldenIsReplayed(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "audit-00000007.jsonl"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, Options{})
	var want []fleet.AuditEntry
	for i, e := range goldenEntries() {
		e.Format, e.Number = 1, int64(i+1)
		want = append([]fleet.AuditEntry{e}, want...)
	}
	if have := recent(t, l, Filter{}); !reflect.DeepEqual(have, want) {
		t.Errorf("have %+v\nwant %+v", have, want)
	}
	write(t, l, ok("next"))
	if have := recent(t, l, Filter{})[0]; have.Number != 4 {
		t.Errorf("numbering goes on at %d, want 4", have.Number)
	}
}
