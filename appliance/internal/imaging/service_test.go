package imaging

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

func TestABuiltImageIsRecordedAndServed(t *testing.T) {
	w := newWorld(t)
	if _, ok := w.Current("x64"); ok {
		t.Fatal("an image is current before any was built")
	}
	id := w.build(nil)
	image, ok := w.Current("x64")
	if !ok || image.ID != id || !image.Served || image.AgentVersion != "1" || len(image.CASet) != 1 {
		t.Fatalf("current: %+v", image)
	}
	if _, ok := w.Current("arm64"); ok {
		t.Error("an x64 image is current for arm64")
	}
	f, err := w.Files().Open(id + "/initrd.zst")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil || int64(len(content)) != f.Size || f.SHA256 != image.Files[1].SHA256 || !f.ModTime.Equal(image.BuiltAt) {
		t.Errorf("%d bytes, %+v, error %v", len(content), f, err)
	}
	for _, name := range []string{id, id + "/", id + "/image.json", id + "/nothing", "loaders/ipxe.efi", "../" + id + "/vmlinuz", id + "/../" + id + "/vmlinuz", strings.ToUpper(id) + "/vmlinuz", ""} {
		if _, err := w.Files().Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %q: %v", name, err)
		}
	}
	e := w.audit.find("image.built")
	if len(e) != 1 || e[0].Outcome != "ok" || e[0].Object != id || e[0].Actor != "tester" || e[0].Address != "192.0.2.7" {
		t.Errorf("audit: %+v", e)
	}
}

func TestEqualRequestsShareOneBuildAndOutliveTheirRequest(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		id, err := w.Build(ctx, Actor{}, "linux", w.options)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("20 equal requests got several builds: %v", ids)
	}
	w.builder.open <- struct{}{}
	if last := w.wait(ids[0]); last.State != Done {
		t.Errorf("build: %+v", last)
	}
	if n, _ := w.builder.counts(); n != 1 {
		t.Errorf("%d builds", n)
	}
	// The next equal request is a new build that finds the image there.
	if again := w.build(nil); again != mustBuild(t, w, ids[0]).ImageID {
		t.Errorf("the same inputs gave %s", again)
	}
}

func mustBuild(t *testing.T, w *world, id string) fleet.ImageBuild {
	t.Helper()
	b, err := w.BuildStatus(id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDifferentBuildsRunOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for _, keyboard := range []string{"us", "de", "fr"} {
		o := w.options
		o.Keyboard = keyboard
		id, err := w.Build(t.Context(), Actor{}, "linux", o)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		w.builder.open <- struct{}{}
	}
	for _, id := range ids {
		if last := w.wait(id); last.State != Done {
			t.Errorf("build: %+v", last)
		}
	}
	if n, most := w.builder.counts(); n != 3 || most != 1 {
		t.Errorf("%d builds, %d at once", n, most)
	}
	served := 0
	list, err := w.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Served {
			served++
		}
	}
	if served != 1 {
		t.Errorf("%d images are served", served)
	}
	if b := w.Builds(); len(b) != 3 || b[0].ID != ids[2] {
		t.Errorf("builds: %+v", b)
	}
}

func TestFailedBuild(t *testing.T) {
	w := newWorld(t)
	w.options.Packages = t.TempDir()
	w.builder.open <- struct{}{}
	id, err := w.Build(t.Context(), Actor{Name: "tester"}, "linux", w.options)
	if err != nil {
		t.Fatal(err)
	}
	last := w.wait(id)
	if last.State != Failed || !strings.Contains(last.Error, "holds no .deb files") || last.EndedAt.IsZero() || last.ImageID != "" {
		t.Errorf("build: %+v", last)
	}
	w.eventually("an audit entry", func() bool { return len(w.audit.find("image.built")) == 1 })
	if e := w.audit.find("image.built")[0]; e.Outcome != "error" || e.Reason != last.Error {
		t.Errorf("audit: %+v", e)
	}
	// A failed build is not remembered: the next request tries again.
	if again, err := w.Build(t.Context(), Actor{}, "linux", w.options); err != nil || again == id {
		t.Errorf("%s, error %v", again, err)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Build(t.Context(), Actor{}, "floppy", w.options); !errors.Is(err, ErrNotInThisVersion) {
		t.Errorf("floppy: %v", err)
	}
	w.options.Keyboard = "../x"
	if _, err := w.Build(t.Context(), Actor{}, "linux", w.options); !errors.Is(err, bootimages.ErrOption) {
		t.Errorf("keyboard: %v", err)
	}
	if _, err := w.Watch(t.Context(), "nothing"); !errors.Is(err, ErrUnknownBuild) {
		t.Errorf("watch: %v", err)
	}
	if len(w.Builds()) != 0 {
		t.Error("a refused request left a build")
	}
}

func TestCloseCancelsAndWaits(t *testing.T) {
	w := newWorld(t)
	id, err := w.Build(t.Context(), Actor{}, "linux", w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the build is at work", func() bool { n, _ := w.builder.counts(); return n == 1 })
	ch, err := w.Watch(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	all := w.Subscribe(t.Context())
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var last fleet.ImageBuild
	for b := range ch {
		last = b
	}
	if last.State != Failed || !strings.Contains(last.Error, "stopped") {
		t.Errorf("build: %+v", last)
	}
	for range all { // ends
	}
	if _, err := w.Build(t.Context(), Actor{}, "linux", w.options); !errors.Is(err, ErrClosed) {
		t.Errorf("build after close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestTheCASetIsReadAtEachBuild(t *testing.T) {
	w := newWorld(t)
	first := w.build(nil)
	w.ca = append(w.ca, certificate(t))
	second := w.build(nil)
	image, _ := w.Current("x64")
	if first == second || image.ID != second || len(image.CASet) != 2 {
		t.Errorf("%s then %s with %v", first, second, image.CASet)
	}
}

func TestUnusedImagesAreCollected(t *testing.T) {
	w := newWorld(t)
	old := w.build(nil)
	w.put(fleet.Device{ID: "busy", MACs: []string{}, ImageID: old, LastSeen: w.now().Add(-90 * 24 * time.Hour), Deployment: "d"})
	w.put(fleet.Device{ID: "seen", MACs: []string{}, ImageID: old, LastSeen: w.now().Add(-time.Hour)})
	current := w.build(func(o *bootimages.Options) { o.Keyboard = "de" })
	collect := func() []string {
		removed, err := w.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return removed
	}
	if got := collect(); len(got) != 0 || !w.exists(old) {
		t.Errorf("removed while two devices use it: %v", got)
	}
	w.put(fleet.Device{ID: "busy", MACs: []string{}, ImageID: old, LastSeen: w.now().Add(-90 * 24 * time.Hour)})
	if got := collect(); len(got) != 0 {
		t.Errorf("removed while a device was seen with it: %v", got)
	}
	w.passed.Add(int64(8 * 24 * time.Hour))
	if got := collect(); !slices.Equal(got, []string{old}) || w.exists(old) {
		t.Errorf("removed: %v", got)
	}
	if _, err := w.Get(old); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the record is still there: %v", err)
	}
	if image, ok := w.Current("x64"); !ok || image.ID != current || !w.exists(current) {
		t.Errorf("the served image went too: %v", image)
	}
	if len(w.audit.find("image.removed")) != 1 {
		t.Error("no audit entry")
	}
}

// The image of a medium stays for the machines that boot from it, until the medium is
// forgotten, or ten newer media are of other images.
func TestImagesOfMediaAreKept(t *testing.T) {
	w := newWorld(t)
	old := w.build(nil)
	medium := func(image string, at time.Duration) fleet.Medium {
		return fleet.Medium{ID: image, Kind: "iso", Image: image, MadeAt: w.started.Add(at)}
	}
	store := func(m fleet.Medium) {
		t.Helper()
		if err := w.store.Update(t.Context(), func(tx *state.Tx) error { return recordMedium(tx, m) }); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(what string, want bool) {
		t.Helper()
		if _, err := w.Collect(t.Context()); err != nil || w.exists(old) != want {
			t.Errorf("%s: it exists: %v, %v", what, w.exists(old), err)
		}
	}
	store(medium(old, 0))
	w.build(func(o *bootimages.Options) { o.Keyboard = "de" }) // a build collects too
	w.passed.Add(int64(365 * 24 * time.Hour))
	kept("a year later", true)
	for n := range keptMedia - 1 {
		store(medium(strings.Repeat(string(rune('0'+n)), 32), time.Duration(n+1)*time.Hour))
	}
	kept("nine newer media", true)
	store(medium(strings.Repeat("e", 32), 100*time.Hour))
	kept("ten newer media", false)
	old = w.build(nil)
	store(medium(old, 200*time.Hour))
	w.build(func(o *bootimages.Options) { o.Keyboard = "de" })
	kept("built again, with a medium", true)
	if err := w.ForgetMedium(t.Context(), Actor{}, old); err != nil {
		t.Fatal(err)
	}
	kept("its medium is forgotten", false)
}

func TestStartReconcilesRecordsWithFiles(t *testing.T) {
	w := newWorld(t)
	old := w.build(nil)
	w.put(fleet.Device{ID: "seen", MACs: []string{}, ImageID: old, LastSeen: w.now()})
	current := w.build(func(o *bootimages.Options) { o.Keyboard = "de" })
	torn := filepath.Join(w.builder.BootDir(), ".tmp-123")
	stray := filepath.Join(w.builder.BootDir(), strings.Repeat("ab", 16))
	if err := errors.Join(os.Mkdir(torn, 0o755), os.Mkdir(stray, 0o755), os.WriteFile(filepath.Join(w.builder.BootDir(), current, "vmlinuz"), []byte("torn"), 0o644)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Error("what an interrupted build left is still there")
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error("files without a record were touched")
	}
	if image, ok := w.Current("x64"); !ok || image.ID != old {
		t.Errorf("current is %v, want the whole one", image.ID)
	}
	if w.Damaged(current) == "" || w.Damaged(old) != "" {
		t.Errorf("damaged: %q %q", w.Damaged(current), w.Damaged(old))
	}
	if _, err := w.Files().Open(current + "/vmlinuz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a damaged image is served: %v", err)
	}
	// Building it again heals it.
	if id := w.build(func(o *bootimages.Options) { o.Keyboard = "de" }); id != current || w.Damaged(id) != "" {
		t.Errorf("built %s, damaged %q", id, w.Damaged(id))
	}
	if image, _ := w.Current("x64"); image.ID != current {
		t.Errorf("current is %v", image.ID)
	}
}

func TestNothingIsServedWhenAllImagesAreDamaged(t *testing.T) {
	w := newWorld(t)
	id := w.build(nil)
	if err := os.RemoveAll(filepath.Join(w.builder.BootDir(), id)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if image, ok := w.Current("x64"); ok {
		t.Errorf("current: %v", image)
	}
	if image, err := w.Get(id); err != nil || image.Served {
		t.Errorf("record: %+v, %v", image, err)
	}
}

func TestSlowWatchersGetTheLastState(t *testing.T) {
	w := newWorld(t)
	id, err := w.Build(t.Context(), Actor{}, "linux", w.options)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := w.Watch(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.builder.open <- struct{}{}
	w.wait(id)
	var last fleet.ImageBuild
	for b := range slow {
		last = b
	}
	if last.State != Done || last.Percent != 100 || len(last.Log) == 0 {
		t.Errorf("last state: %+v", last)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range w.Subscribe(gone) { // ends
	}
}

func TestOldBuildsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.options.Packages = t.TempDir()
	for range maxBuilds + 5 {
		w.builder.open <- struct{}{}
		id, err := w.Build(t.Context(), Actor{}, "linux", w.options)
		if err != nil {
			t.Fatal(err)
		}
		w.wait(id)
	}
	if n := len(w.Builds()); n != maxBuilds {
		t.Errorf("%d builds are remembered", n)
	}
}
