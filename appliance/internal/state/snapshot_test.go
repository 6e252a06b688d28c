package state

import (
	"bytes"
	"errors"
	"testing"
)

// A snapshot that was changed or cut anywhere is refused, never read in part.
func TestEveryByteOfASnapshotCounts(t *testing.T) {
	m := machineFor(t)
	sampleEntries(t, m)
	whole := dump(t, m)
	if _, err := m.readSnapshot(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		if _, err := m.readSnapshot(bytes.NewReader(broken)); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("byte %d of %d changed: %v", i, len(whole), err)
		}
		if _, err := m.readSnapshot(bytes.NewReader(whole[:i])); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d of %d bytes: %v", i, len(whole), err)
		}
	}
}
