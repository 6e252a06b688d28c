package bootimages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/fleet"
)

// Loaders describes the network boot loaders in <data>/boot/loaders.
type Loaders struct {
	Format  int               `json:"format"` // 1
	Package string            `json:"package"`
	Version string            `json:"version"`
	SHA256  string            `json:"sha256"` // of the package
	Files   []fleet.ImageFile `json:"files"`
}

// loadersManifest is written last: with it, the folder is complete.
const loadersManifest = "loaders.json"

type loaderRecipe struct {
	Format  int    `json:"format"`
	Package string `json:"package"`
	Files   []struct {
		Name string   `json:"name"`
		From []string `json:"from"`
	} `json:"files"`
}

// LoadersDir is the folder of the network boot loaders.
func (b *Builder) LoadersDir() string { return filepath.Join(b.BootDir(), "loaders") }

// EnsureLoaders takes the loaders out of the ipxe package, unless they are there
// already and whole. packages may name a folder of .deb files.
func (b *Builder) EnsureLoaders(ctx context.Context, packages string) (Loaders, error) {
	var r loaderRecipe
	if err := new(recipe).readJSON(b.Recipes, "loaders/recipe.json", &r); err != nil {
		return Loaders{}, err
	}
	if have, err := b.readLoaders(); err == nil && have.complete(r) {
		return have, nil
	}
	out, err := b.extractLoaders(ctx, r, packages)
	if err != nil {
		return Loaders{}, fmt.Errorf("network boot loaders: %w", plain(err, b.Data))
	}
	return out, nil
}

// readLoaders checks the folder against its manifest.
func (b *Builder) readLoaders() (Loaders, error) {
	var l Loaders
	raw, err := os.ReadFile(filepath.Join(b.LoadersDir(), loadersManifest))
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(raw, &l); err != nil || l.Format != 1 || len(l.Files) == 0 {
		return l, ErrCorrupt
	}
	for _, f := range l.Files {
		sum, _, err := hashFile(filepath.Join(b.LoadersDir(), filepath.Base(f.Name)))
		if err != nil {
			return l, err
		}
		if sum != f.SHA256 {
			return l, ErrCorrupt
		}
	}
	return l, nil
}

// complete reports whether every loader of the recipe is there: an update of the
// program may want more of them.
func (l Loaders) complete(r loaderRecipe) bool {
	for _, want := range r.Files {
		if !slices.ContainsFunc(l.Files, func(f fleet.ImageFile) bool { return f.Name == want.Name }) {
			return false
		}
	}
	return true
}

func (b *Builder) extractLoaders(ctx context.Context, r loaderRecipe, packages string) (Loaders, error) {
	source, err := b.source(ctx, packages)
	if err != nil {
		return Loaders{}, err
	}
	p, err := source.Resolve(ctx, r.Package, "", debianArch(X64))
	if err != nil {
		return Loaders{}, err
	}
	debPath, err := source.Fetch(ctx, p, func(int64) {})
	if err != nil {
		return Loaders{}, err
	}
	b.placing.Lock()
	defer b.placing.Unlock()
	if have, err := b.readLoaders(); err == nil && have.complete(r) {
		return have, nil // somebody else was faster
	}
	l := Loaders{Format: 1, Package: p.Name, Version: p.Version, SHA256: p.SHA256}
	for _, want := range r.Files {
		content, err := fileFromDeb(debPath, want.From)
		if err != nil {
			return Loaders{}, fmt.Errorf("package %s: %w", p, err)
		}
		if err := b.placeLoader(want.Name, string(content)); err != nil {
			return Loaders{}, err
		}
		sum := sha256.Sum256(content)
		l.Files = append(l.Files, fleet.ImageFile{Name: want.Name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	}
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return Loaders{}, err
	}
	return l, b.placeLoader(loadersManifest, string(raw)+"\n")
}

// placeLoader writes one file durably under its name, in one rename.
func (b *Builder) placeLoader(name, content string) error {
	dir := b.LoadersDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(dir, tempPrefix+name)
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := writeFile(tmp, strings.NewReader(content)); err != nil {
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncFolder(dir)
}
