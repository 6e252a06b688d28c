package imaging

import (
	"context"
	"encoding/pem"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/bootimages"
	"slipway/tasksequence"
)

// shelf is content whose versions are folders.
type shelf struct {
	dirs     map[string]string // by "id:version"
	resolved []string
}

var errNotThere = errors.New("not there")

func (s *shelf) Resolve(name string, number int) (tasksequence.Reference, error) {
	ref := tasksequence.Reference{ID: strings.ToLower(name), Version: max(number, 1)}
	s.resolved = append(s.resolved, ref.String())
	if s.dirs[ref.String()] == "" {
		return ref, errNotThere
	}
	return ref, nil
}

func (s *shelf) LayOut(_ context.Context, ref tasksequence.Reference, dir string) error {
	return os.CopyFS(dir, os.DirFS(s.dirs[ref.String()]))
}

// folder makes a folder of files.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildsOfNamedThings(t *testing.T) {
	w := newWorld(t)
	o := w.windows()
	picture := filepath.Join(t.TempDir(), "wall.jpg")
	f, err := os.Create(picture)
	if err == nil {
		err = errors.Join(jpeg.Encode(f, image.NewGray(image.Rect(0, 0, 8, 8)), nil), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	content := &shelf{dirs: map[string]string{"win11:3": filepath.Dir(o.Windows.Source), "nic:1": folder(t, "a/nic.inf=[Version]"), "disk:2": folder(t, "disk.inf=[Version]"),
		"picture:1": filepath.Dir(picture), "files:1": folder(t, "tools/x.txt=x"), "two:1": folder(t, "a.iso=x", "b.wim=y"), "none:1": folder(t, "readme.txt=x")}}
	w.c.Shelf = content
	roots := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t)}))
	named := bootimages.Options{Agent: o.Agent, Overlay: "content:files", Windows: bootimages.WindowsOptions{Source: "content:Win11:3", Drivers: "content:nic,content:disk:2", Roots: roots, Wallpaper: "content:picture"}}
	id := w.buildWindows(named)
	_, r, err := w.Report(id)
	if err != nil || r.Source != "boot.wim" || !slices.Equal(r.Drivers, []string{"disk/disk.inf", "nic/a/nic.inf"}) || len(r.Roots) != 1 || !r.Wallpaper || r.Overlay != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.data, "boot/*inputs-*")); len(left) > 0 {
		t.Errorf("left of what was laid out: %v", left)
	}
	if again := w.buildWindows(named); again != id {
		t.Errorf("the same names gave another image: %s, %s", again, id)
	}

	sources := filepath.Join(w.data, SourcesFolder)
	wim, err := os.ReadFile(o.Windows.Source)
	if err = errors.Join(err, os.MkdirAll(filepath.Join(sources, "folder"), 0o755), os.WriteFile(filepath.Join(sources, "win.wim"), wim, 0o644), os.WriteFile(filepath.Join(sources, ".hidden"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Sources(); err != nil || len(list) != 1 || list[0].Name != "win.wim" || list[0].Size != int64(len(wim)) {
		t.Errorf("%+v, %v", list, err)
	}
	w.buildWindows(bootimages.Options{Agent: o.Agent, Windows: bootimages.WindowsOptions{Source: "sources:win.wim"}})
	if _, err := os.Stat(filepath.Join(sources, "win.wim")); err != nil {
		t.Error("the source is gone:", err)
	}

	for name, o := range map[string]bootimages.Options{
		"a path":          {Windows: bootimages.WindowsOptions{Source: "sources:../secret.key"}},
		"hidden":          {Windows: bootimages.WindowsOptions{Source: "sources:.hidden"}},
		"a folder":        {Windows: bootimages.WindowsOptions{Source: "sources:folder"}},
		"not there":       {Windows: bootimages.WindowsOptions{Source: "sources:other.wim"}},
		"drivers of it":   {Windows: bootimages.WindowsOptions{Source: "content:win11:3", Drivers: "sources:win.wim"}},
		"two sources":     {Windows: bootimages.WindowsOptions{Source: "content:win11:3,content:two"}},
		"a text as hooks": {Windows: bootimages.WindowsOptions{Source: "content:win11:3", Hooks: roots}},
	} {
		if _, err := w.Build(t.Context(), Actor{}, "winpe", o); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Build(t.Context(), Actor{}, "winpe", bootimages.Options{Windows: bootimages.WindowsOptions{Source: "content:win12"}}); !errors.Is(err, errNotThere) {
		t.Errorf("content that is not there: %v", err)
	}
	for _, item := range []string{"two", "none"} {
		build, err := w.Build(t.Context(), Actor{}, "winpe", bootimages.Options{Agent: o.Agent, Windows: bootimages.WindowsOptions{Source: "content:" + item}})
		if err != nil {
			t.Fatal(err)
		}
		if last := w.wait(build); last.State != Failed || !strings.Contains(last.Error, "files that end in .iso or .wim; one is needed") {
			t.Errorf("%s: %+v", item, last)
		}
	}
	for value, want := range map[string]bool{"": true, "content:x": true, "sources:x": true, roots: true, "/etc/shadow": false, "win.iso": false, " content:x": false} {
		if Named(value) != want {
			t.Errorf("Named(%.20q) is %v", value, !want)
		}
	}
}
