package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

func withXorriso(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xorriso"); err != nil {
		t.Fatal("xorriso is not installed; lab/deps.sh check installs it")
	}
}

// A medium is recorded once however often it is made, with the authorities it trusts
// and who made it last; forgotten, it is off the list.
func TestMediaAreRecorded(t *testing.T) {
	withXorriso(t)
	w := newWorld(t)
	if _, err := w.MakeMedium(t.Context(), Actor{}, "", bootimages.MediaOptions{Kind: "iso"}); !errors.Is(err, ErrNoImage) {
		t.Errorf("without an image: %v", err)
	}
	id := w.build(nil)
	for n, by := range []string{"anna", "bert"} {
		w.passed.Add(int64(time.Duration(n) * time.Hour))
		m, err := w.MakeMedium(t.Context(), Actor{Name: by}, []string{"", id}[n], bootimages.MediaOptions{Kind: "iso", Servers: []string{"192.0.2.1:8443"}})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(m.Path)
		if err != nil || info.Size() != m.Size {
			t.Errorf("the file: %v, %v", info, err)
		}
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	}
	list, err := w.Media()
	if err != nil || len(list) != 1 || list[0].MadeBy != "bert" || list[0].Image != id || len(list[0].CASet) != 1 || list[0].SHA256 == "" {
		t.Fatalf("recorded %+v, %v", list, err)
	}
	if got := w.audit.find("medium.made"); len(got) != 2 || got[0].Actor != "anna" || got[0].Outcome != "ok" {
		t.Errorf("audit: %+v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(w.builder.BootDir(), ".tmp-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := w.ForgetMedium(t.Context(), Actor{Name: "anna"}, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := w.ForgetMedium(t.Context(), Actor{}, list[0].ID); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("forgotten twice: %v", err)
	}
}

func TestTheListOfMediaIsBounded(t *testing.T) {
	w := newWorld(t)
	at := time.Unix(1700000000, 0)
	err := w.store.Update(t.Context(), func(tx *state.Tx) error {
		for n := range maxMedia {
			if err := tx.Media().Put(fleet.Medium{ID: fmt.Sprint(n), MadeAt: at.Add(time.Duration(n))}); err != nil {
				return err
			}
		}
		return recordMedium(tx, fleet.Medium{ID: "new", MadeAt: at.Add(time.Hour)})
	})
	list, listErr := w.Media()
	if err := errors.Join(err, listErr); err != nil || len(list) != maxMedia || list[0].ID != "new" {
		t.Fatalf("%d media, %v", len(list), err)
	}
	if slices.ContainsFunc(list, func(m fleet.Medium) bool { return m.ID == "0" }) {
		t.Error("the oldest is still there")
	}
}

// A damaged image becomes neither medium nor export, and nothing is written of it.
func TestDamagedImagesAreNotGivenAway(t *testing.T) {
	w := newWorld(t)
	id := w.build(nil)
	if err := os.WriteFile(filepath.Join(w.builder.BootDir(), id, "vmlinuz"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.restart()
	var out bytes.Buffer
	if err := w.Export(t.Context(), Actor{}, id, bootimages.ExportOptions{}, &out); !errors.Is(err, bootimages.ErrCorrupt) || out.Len() != 0 {
		t.Errorf("export: %d bytes, %v", out.Len(), err)
	}
	if _, err := w.MakeMedium(t.Context(), Actor{}, id, bootimages.MediaOptions{Kind: "usb"}); !errors.Is(err, bootimages.ErrCorrupt) {
		t.Errorf("medium: %v", err)
	}
}
