package bootimages

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"slipway/fleet"
)

func TestLoaders(t *testing.T) {
	b, o := small(t)
	l, err := b.EnsureLoaders(t.Context(), o.Packages)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"undionly.kpxe": "undionly", "snponly.efi": "snponly", "ipxe.efi": "ipxe efi", "ipxe.lkrn": "ipxe lkrn"} {
		got, _ := os.ReadFile(filepath.Join(b.LoadersDir(), name))
		sum := sha256.Sum256(got)
		if string(got) != want || !slices.Contains(l.Files, fleet.ImageFile{Name: name, Size: int64(len(want)), SHA256: hex.EncodeToString(sum[:])}) {
			t.Errorf("%s is %q; manifest %v", name, got, l.Files)
		}
	}
	// Whole loaders need no package source any more; damaged ones are replaced.
	if _, err := b.EnsureLoaders(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
	more := os.DirFS(loaderRecipeWith(t, `{"name": "new.efi", "from": ["boot/ipxe.efi"]}`))
	if l, err := (&Builder{Data: b.Data, Recipes: more}).EnsureLoaders(t.Context(), o.Packages); err != nil || len(l.Files) != 1 {
		t.Errorf("a recipe with another loader: %v, error %v", l.Files, err)
	}
	if _, err := b.EnsureLoaders(t.Context(), o.Packages); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(b.LoadersDir(), "snponly.efi"), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.EnsureLoaders(t.Context(), t.TempDir()); !errors.Is(err, ErrNoPackage) {
		t.Errorf("damaged loaders were accepted: %v", err)
	}
	if _, err := b.EnsureLoaders(t.Context(), o.Packages); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(b.LoadersDir(), "snponly.efi")); string(got) != "snponly" {
		t.Errorf("snponly.efi is %q", got)
	}
}

// Several may bring the loaders at once: the start of the appliance, and a build.
func TestLoadersAtOnce(t *testing.T) {
	b, o := small(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := b.EnsureLoaders(t.Context(), o.Packages); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if l, err := b.readLoaders(); err != nil || len(l.Files) == 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

// loaderRecipeWith is a folder whose loader recipe has just this file.
func loaderRecipeWith(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "loaders"), 0o755), os.WriteFile(filepath.Join(dir, "loaders/recipe.json"),
		[]byte(`{"format": 1, "package": "ipxe", "files": [`+file+`]}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}
