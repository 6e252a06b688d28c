package content

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"slipway/fleet"
	"slipway/tasksequence"
)

func TestVersionsAreLaidOut(t *testing.T) {
	b := open(t)
	dir := t.TempDir()
	large := bytes.Repeat([]byte("0123456789abcdef"), linked/16)
	for name, data := range map[string][]byte{"net/e1000.inf": []byte("; a driver"), "large.iso": large} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	v := b.must(t, Import{Name: "Pack", Purpose: "other", Path: dir, Status: fleet.ContentActive})
	if _, err := b.Resolve("Pack", 7); !errors.Is(err, ErrInvalid) {
		t.Errorf("a version that is not there: %v", err)
	}
	if _, err := b.Resolve("Nothing", 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an item that is not there: %v", err)
	}
	ref, err := b.Resolve("Pack", 0)
	if err != nil || ref != (tasksequence.Reference{ID: v.Item, Version: 1}) {
		t.Fatalf("%v, %v", ref, err)
	}
	out := t.TempDir()
	if err := b.LayOut(t.Context(), ref, out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"net/e1000.inf": []byte("; a driver"), "large.iso": large} {
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	// What is written over there must not reach what is kept, where it was copied.
	if err := os.WriteFile(filepath.Join(out, "net/e1000.inf"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	if err := b.LayOut(t.Context(), ref, again); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(again, "net/e1000.inf")); string(got) != "; a driver" {
		t.Errorf("%q", got)
	}
}
