package bootimages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/fleet"
)

// mediaRecipe is media/recipe.json: the boot loaders of media and of exported
// folders, and the packages they come from. They are used unmodified: shim and GRUB
// carry signatures that firmware with Secure Boot asks for.
type mediaRecipe struct {
	Format int `json:"format"`
	Files  []struct {
		Name    string   `json:"name"`
		Package string   `json:"package"`
		From    []string `json:"from"`
	} `json:"files"`
}

// mediaParts describes the files in <data>/boot/media-parts.
type mediaParts struct {
	Format   int               `json:"format"`   // 1
	Packages []string          `json:"packages"` // name version sha256:hash
	Files    []fleet.ImageFile `json:"files"`
}

const partsManifest = "parts.json"

// PartsFolder is the folder of the boot loaders of media, shim and GRUB among them,
// below BootDir.
const PartsFolder = "media-parts"

func (b *Builder) partsDir() string { return filepath.Join(b.BootDir(), PartsFolder) }

func (b *Builder) mediaRecipe() (mediaRecipe, error) {
	var r mediaRecipe
	if err := new(recipe).readJSON(b.Recipes, "media/recipe.json", &r); err != nil {
		return r, err
	}
	if r.Format != 1 {
		return r, fmt.Errorf("media/recipe.json: unknown format %d", r.Format)
	}
	return r, nil
}

// packages lists the recipe's packages, each once.
func (r mediaRecipe) packages() []string {
	var out []string
	for _, f := range r.Files {
		if !slices.Contains(out, f.Package) {
			out = append(out, f.Package)
		}
	}
	return out
}

// mediaPackages names the packages that media need beside those of the image: none
// for an architecture of which no media are made.
func (b *Builder) mediaPackages(arch string) ([]string, error) {
	if arch != X64 {
		return nil, nil
	}
	r, err := b.mediaRecipe()
	return r.packages(), err
}

// EnsureMediaParts brings the boot loaders of media into place. Newer packages
// replace what is there; what is there is good enough when the source cannot be
// asked, or lacks a package. packages may name a folder of .deb files.
func (b *Builder) EnsureMediaParts(ctx context.Context, packages string) error {
	r, err := b.mediaRecipe()
	if err != nil {
		return err
	}
	err = b.refreshParts(ctx, r, packages)
	if err == nil {
		return nil
	}
	if _, haveErr := b.readParts(r); haveErr == nil && ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("boot loaders of media: %w", plain(err, b.Data))
}

// haveParts brings the loaders into place unless they are there.
func (b *Builder) haveParts(ctx context.Context) (mediaParts, error) {
	r, err := b.mediaRecipe()
	if err != nil {
		return mediaParts{}, err
	}
	if have, err := b.readParts(r); err == nil {
		return have, nil
	}
	if err := b.EnsureMediaParts(ctx, ""); err != nil {
		return mediaParts{}, err
	}
	return b.readParts(r)
}

// readParts checks the folder against its manifest and the recipe.
func (b *Builder) readParts(r mediaRecipe) (p mediaParts, err error) {
	raw, err := os.ReadFile(filepath.Join(b.partsDir(), partsManifest))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil || p.Format != 1 {
		return p, ErrCorrupt
	}
	for _, want := range r.Files {
		i := slices.IndexFunc(p.Files, func(f fleet.ImageFile) bool { return f.Name == want.Name })
		if i < 0 {
			return p, fs.ErrNotExist
		}
		sum, _, err := hashFile(filepath.Join(b.partsDir(), want.Name))
		if err != nil {
			return p, err
		}
		if sum != p.Files[i].SHA256 {
			return p, ErrCorrupt
		}
	}
	return p, nil
}

// refreshParts takes the files out of the packages, unless the same packages were
// used before.
func (b *Builder) refreshParts(ctx context.Context, r mediaRecipe, packages string) error {
	source, err := b.source(ctx, packages)
	if err != nil {
		return err
	}
	found := map[string]Package{}
	p := mediaParts{Format: 1}
	for _, name := range r.packages() {
		d, err := source.Resolve(ctx, name, "", debianArch(X64))
		if err != nil {
			return err
		}
		found[name] = d
		p.Packages = append(p.Packages, d.String()+" sha256:"+d.SHA256)
	}
	if have, err := b.readParts(r); err == nil && slices.Equal(have.Packages, p.Packages) {
		return nil
	}
	dir, err := b.tempDir("parts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, want := range r.Files {
		deb, err := source.Fetch(ctx, found[want.Package], func(int64) {})
		if err != nil {
			return err
		}
		content, err := fileFromDeb(deb, want.From)
		if err != nil {
			return fmt.Errorf("package %s: %w", found[want.Package], err)
		}
		if err := writeFile(filepath.Join(dir, want.Name), strings.NewReader(string(content))); err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		p.Files = append(p.Files, fleet.ImageFile{Name: want.Name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := errors.Join(writeFile(filepath.Join(dir, partsManifest), strings.NewReader(string(raw)+"\n")), os.Chmod(dir, 0o755), syncFolder(dir)); err != nil {
		return err
	}
	// Nothing reads the folder between these: media are made one at a time.
	return errors.Join(os.RemoveAll(b.partsDir()), os.Rename(dir, b.partsDir()), syncFolder(b.BootDir()))
}

// TempDir makes a folder that Clean removes should the caller not come to it.
func (b *Builder) TempDir(what string) (string, error) { return b.tempDir(what) }

// tempDir is TempDir.
func (b *Builder) tempDir(what string) (string, error) {
	if err := os.MkdirAll(b.BootDir(), 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(b.BootDir(), tempPrefix+what)
}
