package disk

import (
	"errors"
	"testing"
)

// TestWinesDisksAreRefused: under Wine the names of disks lead to the disks of the
// machine that runs the tests.
func TestWinesDisksAreRefused(t *testing.T) {
	if !isWine() {
		t.Skip("this is Windows itself")
	}
	if list, err := (PhysicalDrives{}).Disks(); !errors.Is(err, ErrWine) || len(list) > 0 {
		t.Errorf("disks: %v, %v", list, err)
	}
	if _, err := (PhysicalDrives{}).Layout(0); !errors.Is(err, ErrWine) {
		t.Errorf("layout: %v", err)
	}
	if _, err := (PhysicalDrives{}).Letters(); !errors.Is(err, ErrWine) {
		t.Errorf("letters: %v", err)
	}
	m := &Windows{Drives: PhysicalDrives{}, System: "C"}
	if _, err := m.List(t.Context()); !errors.Is(err, ErrWine) {
		t.Errorf("list: %v", err)
	}
	if _, err := m.Prepare(t.Context(), Layout{Disk: "any"}, nil); !errors.Is(err, ErrWine) {
		t.Errorf("prepare: %v", err)
	}
}
