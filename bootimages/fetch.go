package bootimages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// FetchPackages copies every package that a Linux image, the loaders and media need from
// the machine's package source into a folder, which then serves as Packages
// folder on machines without a source. Files are named name_version_arch.deb. A
// folder that is complete is good enough when the source cannot be asked.
func (b *Builder) FetchPackages(ctx context.Context, arch, folder string, report Report) error {
	m := &meter{report: report}
	m.begin("resolving packages", 0, 5)
	r, err := b.resolvePackages(ctx, arch)
	if err != nil {
		if folderErr := b.checkFolder(ctx, arch, folder); folderErr == nil {
			m.note("the package source cannot be asked (" + err.Error() + "); the folder is complete")
			return nil
		}
		return plain(err, b.Data)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return plain(err, folder)
	}
	if r.noTools != "" {
		m.note("warning: the package source has no " + r.noTools + ": images from this folder have no tool pack, and cannot format disks")
	}
	files, err := fetchAll(ctx, r, m)
	if err != nil {
		return plain(err, b.Data)
	}
	for _, p := range r.packages {
		to := filepath.Join(folder, fmt.Sprintf("%s_%s_%s.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), p.Architecture))
		if verifyFile(to, p) == nil {
			continue
		}
		if err := copyFile(files[p.Name], to); err != nil {
			return plain(fmt.Errorf("package %s: %w", p, err), folder)
		}
		m.note("package " + p.String())
	}
	m.begin("packages are in "+folder, 100, 100)
	return nil
}

// resolvePackages names the packages of an image and of the loaders.
func (b *Builder) resolvePackages(ctx context.Context, arch string) (*resolved, error) {
	rec, names, err := b.packageNames(arch)
	if err != nil {
		return nil, err
	}
	source, err := b.source(ctx, "")
	if err != nil {
		return nil, err
	}
	r := &resolved{recipe: rec, source: source}
	k, err := resolveKernel(ctx, source, rec.KernelPackage[arch], debianArch(arch))
	if err != nil {
		return nil, err
	}
	r.packages = append(r.packages, k)
	for _, name := range names {
		p, err := source.Resolve(ctx, name, "", debianArch(arch))
		if err != nil {
			return nil, err
		}
		r.packages = append(r.packages, p)
	}
	return r, r.resolveTools(ctx, arch)
}

func (b *Builder) packageNames(arch string) (*recipe, []string, error) {
	rec, err := loadRecipe(b.Recipes, arch, "client")
	if err != nil {
		return nil, nil, err
	}
	var l loaderRecipe
	if err := rec.readJSON(b.Recipes, "loaders/recipe.json", &l); err != nil {
		return nil, nil, err
	}
	names := append(rec.packages(), l.Package)
	if stub, ok := rec.OneFile[arch]; ok {
		names = append(names, stub.Package)
	}
	media, err := b.mediaPackages(arch)
	return rec, append(names, media...), err
}

func (b *Builder) checkFolder(ctx context.Context, arch, folder string) error {
	rec, names, err := b.packageNames(arch)
	if err != nil {
		return err
	}
	source, err := OpenFolder(ctx, folder)
	if err != nil {
		return err
	}
	_, err = resolveKernel(ctx, source, rec.KernelPackage[arch], debianArch(arch))
	for _, name := range names {
		_, e := source.Resolve(ctx, name, "", debianArch(arch))
		err = errors.Join(err, e)
	}
	return err
}

// copyFile copies under a temporary name and renames, so that a folder never holds
// half a package.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), tempPrefix)
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}
