package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// injectDriverPack adds one driver pack.
func injectDriverPack(ctx context.Context, s *Step) (Outcome, error) {
	ref, ok := s.Settings.Content("DriverPack")
	if !ok {
		return Outcome{}, errors.New("no driver pack is named")
	}
	if onWindows(s) {
		return Outcome{}, stagePacks(ctx, s, []wire.ContentVersion{{Item: ref.ID, Version: ref.Version, Name: ref.String()}})
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	return Outcome{}, y.inject(ctx, ref, ref.String())
}

// pack is what a driver pack holds, sorted by where it belongs.
type pack struct {
	firmware map[string]string // path below /lib/firmware -> path in the pack
	modules  map[string]string // path below /lib/modules -> path in the pack
	packages []string          // .deb and .rpm
	others   int
}

// sortPack tells by their paths where the files of a pack belong.
func sortPack(files []string) pack {
	p := pack{firmware: map[string]string{}, modules: map[string]string{}}
	for _, f := range files {
		switch ext := path.Ext(f); {
		case ext == ".deb" || ext == ".rpm":
			p.packages = append(p.packages, f)
		case below(f, "lib/modules/") != "":
			p.modules[below(f, "lib/modules/")] = f
		case below(f, "lib/firmware/") != "":
			p.firmware[below(f, "lib/firmware/")] = f
		case below(f, "firmware/") != "":
			p.firmware[below(f, "firmware/")] = f
		default:
			p.others++
		}
	}
	return p
}

// below is what follows folder in a path, wherever in the path that stands.
func below(file, folder string) string {
	if rest, ok := strings.CutPrefix(file, folder); ok {
		return rest
	}
	if _, rest, ok := strings.Cut(file, "/"+folder); ok {
		return rest
	}
	return ""
}

// inject fetches a pack onto the system's disk, puts its files where they belong and
// removes the rest.
func (y *system) inject(ctx context.Context, ref tasksequence.Reference, name string) error {
	folder, remove, err := y.fetch(ctx, ref, name)
	if err != nil {
		return err
	}
	defer remove()
	var files []string
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(folder, p) // both come from the same walk
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	slices.Sort(files)
	p := sortPack(files)
	if len(p.firmware)+len(p.modules)+len(p.packages) == 0 {
		return fmt.Errorf("driver pack %s holds nothing for Linux: firmware belongs below firmware/, modules below lib/modules/<release>/, packages are .deb or .rpm", name)
	}
	if err := errors.Join(y.copyAll(folder, "lib/firmware", p.firmware), y.copyAll(folder, "lib/modules", p.modules)); err != nil {
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	y.step.Log("info", fmt.Sprintf("%s: %d firmware files, %d modules, %d packages", name, len(p.firmware), len(p.modules), len(p.packages)))
	if err := y.takeIn(ctx, p, folder); err != nil {
		return fmt.Errorf("driver pack %s: %w", name, err)
	}
	return nil
}

// copyAll copies files of the pack below a folder of the system.
func (y *system) copyAll(folder, to string, files map[string]string) error {
	for rel, from := range files {
		target := path.Join(to, rel)
		if err := y.copyFile(filepath.Join(folder, from), target); err != nil {
			return fmt.Errorf("copy %s: %w", target, err)
		}
	}
	return nil
}

func (y *system) copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := y.dir.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := y.dir.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// takeIn installs packages and lets the system know of new modules and firmware.
func (y *system) takeIn(ctx context.Context, p pack, folder string) error {
	if len(p.packages) > 0 {
		var files []string
		for _, f := range p.packages {
			full := filepath.Join(folder, f)
			if !y.running {
				full = "/" + path.Join(strings.TrimPrefix(strings.TrimPrefix(full, y.root), "/"))
			}
			files = append(files, full)
		}
		args, err := y.packageInstaller(files)
		if err != nil {
			return err
		}
		if err := y.run(ctx, args...); err != nil {
			return err
		}
	}
	releases := map[string]bool{}
	for rel := range p.modules {
		release, _, _ := strings.Cut(rel, "/")
		releases[release] = true
	}
	for release := range releases {
		if !y.has("depmod") {
			return errors.New("the system has no depmod: the package kmod is missing in it")
		}
		if err := y.run(ctx, "depmod", "-a", release); err != nil {
			return err
		}
	}
	switch {
	case y.has("update-initramfs"):
		return y.run(ctx, "update-initramfs", "-u", "-k", "all")
	case y.has("dracut"):
		return y.run(ctx, "dracut", "--regenerate-all", "--force")
	}
	return nil
}
