package imaging

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// authorities records the CA set, the signing one first.
func (w *world) authorities(set ...[]byte) {
	w.t.Helper()
	w.ca = set
	i := fleet.Installation{ID: "test"}
	for _, der := range set {
		i.Authorities = append(i.Authorities, fleet.Authority{Certificate: der})
	}
	if err := w.store.Update(w.t.Context(), func(tx *state.Tx) error { return tx.Installation().Put(i) }); err != nil {
		w.t.Fatal(err)
	}
}

func TestRebuildCarriesTheNewSetAndTheOldSettings(t *testing.T) {
	w := newWorld(t)
	first := w.build(func(o *bootimages.Options) { o.Keyboard, o.Lab, o.Servers = "de", true, []string{"192.0.2.1:8443"} })
	if builds, left, err := w.Rebuild(t.Context(), Actor{}, w.options); err != nil || len(builds)+len(left) != 0 {
		t.Errorf("built again without a reason: %v %v %v", builds, left, err)
	}
	w.authorities(w.ca[0], certificate(t))
	w.builder.open <- struct{}{}
	builds, left, err := w.Rebuild(t.Context(), Actor{Name: "anna"}, w.options)
	if err != nil || len(builds) != 1 || len(left) != 0 {
		t.Fatal(builds, left, err)
	}
	last := w.wait(builds[0])
	if last.State != Done || last.ImageID == first {
		t.Fatalf("build %+v", last)
	}
	image, err := w.Get(last.ImageID)
	if err != nil || len(image.CASet) != 2 || !image.Served || !image.Lab || !slices.Contains(image.Inputs, "keyboard de") || !slices.Contains(image.Inputs, "server 192.0.2.1:8443") {
		t.Errorf("image %+v, %v", image, err)
	}
}

func TestRebuildAsksForFolders(t *testing.T) {
	w := newWorld(t)
	overlay := filepath.Join(t.TempDir(), "overlay")
	if err := errors.Join(os.MkdirAll(overlay, 0o755), os.WriteFile(filepath.Join(overlay, "motd"), []byte("hi"), 0o644)); err != nil {
		t.Fatal(err)
	}
	w.build(func(o *bootimages.Options) { o.Overlay = overlay })
	w.authorities(w.ca[0], certificate(t))
	builds, left, err := w.Rebuild(t.Context(), Actor{}, bootimages.Options{})
	if err != nil || len(builds) != 0 || len(left) != 1 || !strings.Contains(left[0], "--overlay DIR") {
		t.Errorf("%v %v %v", builds, left, err)
	}
}

// A build that began before a rotation, or waited for its turn through one, must
// not put an image before devices that does not trust the authority in use.
func TestAnImageFromBeforeTheChangeoverIsNotServed(t *testing.T) {
	w := newWorld(t)
	old, fresh := w.ca[0], certificate(t)
	w.authorities(old)
	good := w.build(nil)
	w.put(fleet.Device{ID: "d", ImageID: good, LastSeen: w.now()}) // keeps it
	other := w.options
	other.Keyboard = "fr"
	id, err := w.Build(t.Context(), Actor{}, "linux", other)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the build is at work", func() bool { n, _ := w.builder.counts(); return n == 2 })
	waiting := w.options
	waiting.Keyboard = "it"
	later, err := w.Build(t.Context(), Actor{}, "linux", waiting)
	if err != nil {
		t.Fatal(err)
	}
	w.authorities(fresh, old)
	w.builder.open <- struct{}{}
	w.builder.open <- struct{}{}
	if last := w.wait(id); last.State != Failed || !strings.Contains(last.Error, "build it again") {
		t.Errorf("the build from before ended as %+v", last)
	}
	last := w.wait(later)
	image, err := w.Get(last.ImageID)
	if err != nil || !image.Served || len(image.CASet) != 2 {
		t.Errorf("the build that waited: %+v, %v", last, err)
	}
	// When the served image is damaged, no image without the authority takes its place.
	if _, err := w.Get(good); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.builder.BootDir(), image.ID, "vmlinuz")); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if current, ok := w.Current("x64"); ok {
		t.Errorf("devices get %s, which they could not connect with", current.ID)
	}
}
