package disk

import (
	"errors"
	"os"
	"strings"
	"testing"

	"slipway/agent/internal/fat/fattest"
)

// A stick that was filled by copying files and has a label of its own is no target:
// nothing that would change it does so.
func TestAMediumIsNoTarget(t *testing.T) {
	m, d := loopDisk(t, 64*mib, 512)
	l := planned(t, Spec{Layout: LayoutCustom, Firmware: BIOS, Table: MBR, Wants: []Want{{Role: RoleData, FS: FSVFAT, Size: Size{Rest: true}}}}, d.Geometry())
	l.Disk = d.ID
	target, err := m.Open(t.Context(), d.ID, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(WriteTable(target, target, l, d.Size), target.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reread(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	part, err := m.OpenPartition(t.Context(), l, 1, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.WriteAt(fattest.Image(t, 32<<10, 16, "boot/vmlinuz", "slipway/"+anImage), 0)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		if one.ID == d.ID && !one.Boot {
			t.Error("the medium is not known as one")
		}
	}
	_, err1 := m.Prepare(t.Context(), l, quietly)
	_, err2 := m.Wipe(t.Context(), d.ID, WipeOverwrite, quietly)
	_, err3 := m.Open(t.Context(), d.ID, OpenOptions{})
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "it is a Slipway medium") {
			t.Errorf("got %v", err)
		}
	}
	if after, err := os.ReadFile(d.Path); err != nil || string(after) != string(before) {
		t.Errorf("the medium was changed: %v", err)
	}
}
