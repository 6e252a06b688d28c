package bootimages

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/bootimages/internal/deb"
)

// FolderSource takes packages from a folder of .deb files. When the folder holds
// a Packages index, the hashes stated there must hold.
type FolderSource struct {
	Dir      string
	packages []Package
}

// OpenFolder reads the control data of every package in a folder.
func OpenFolder(ctx context.Context, dir string) (*FolderSource, error) {
	paths, err := glob(dir, "*.deb")
	if err != nil {
		return nil, fmt.Errorf("%w: packages folder: %w", ErrOption, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: the packages folder %s holds no .deb files", ErrNoPackage, dir)
	}
	stated, err := readIndex(filepath.Join(dir, "Packages"))
	if err != nil {
		return nil, err
	}
	s := &FolderSource{Dir: dir}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := readPackage(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if want, ok := stated[p.Name+" "+p.Version+" "+p.Architecture]; ok && want != p.SHA256 {
			return nil, fmt.Errorf("%s: %w: the folder's Packages file states %s", path, ErrCorrupt, want)
		}
		s.packages = append(s.packages, p)
	}
	return s, nil
}

func readPackage(path string) (Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return Package{}, err
	}
	defer f.Close()
	control, err := deb.Control(f)
	if err != nil {
		return Package{}, err
	}
	p := fromParagraph(control)
	p.path = path
	p.SHA256, p.Size, err = hashFile(path)
	return p, err
}

func readIndex(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	paragraphs, err := deb.ParseParagraphs(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string]string{}
	for _, g := range paragraphs {
		if sum := g.Get("SHA256"); sum != "" {
			out[g.Get("Package")+" "+g.Get("Version")+" "+g.Get("Architecture")] = strings.ToLower(sum)
		}
	}
	return out, nil
}

// Resolve picks the newest matching package. A kernel meta package that is not in
// the folder stands for the newest kernel of its flavour.
func (s *FolderSource) Resolve(_ context.Context, name, version, arch string) (Package, error) {
	if p, ok := s.newest(arch, version, func(n string) bool { return n == name }); ok {
		return p, nil
	}
	if flavour, ok := strings.CutPrefix(name, "linux-image-"); ok && version == "" && !strings.Contains(flavour, "-") {
		if p, ok := s.newest(arch, "", func(n string) bool { return isKernel(n, flavour) }); ok {
			return p, nil
		}
	}
	return Package{}, fmt.Errorf("%w: %s (%s) is not in the folder %s: put its .deb file there", ErrNoPackage,
		strings.TrimSpace(name+" "+version), arch, s.Dir)
}

// isKernel matches linux-image-6.1.0-56-amd64 for amd64, and neither its debug
// symbols nor the cloud and real-time flavours.
func isKernel(name, flavour string) bool {
	rest, ok := strings.CutPrefix(name, "linux-image-")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return false
	}
	release, ok := strings.CutSuffix(rest, "-"+flavour)
	return ok && !strings.HasSuffix(release, "-cloud") && !strings.HasSuffix(release, "-rt")
}

func (s *FolderSource) newest(arch, version string, match func(string) bool) (Package, bool) {
	var fit []Package
	for _, p := range s.packages {
		if match(p.Name) && (p.Architecture == arch || p.Architecture == "all") && (version == "" || p.Version == version) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return Package{}, false
	}
	return slices.MaxFunc(fit, func(a, b Package) int {
		if c := deb.CompareVersions(a.Version, b.Version); c != 0 {
			return c
		}
		return deb.CompareVersions(a.Name, b.Name)
	}), true
}

// Fetch returns the file in the folder, after checking that it has not changed.
func (s *FolderSource) Fetch(_ context.Context, p Package, got func(int64)) (string, error) {
	if err := verifyFile(p.path, p); err != nil {
		return "", err
	}
	got(p.Size)
	return p.path, nil
}
