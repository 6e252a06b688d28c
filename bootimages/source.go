package bootimages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"slipway/bootimages/internal/deb"
)

// Package is a resolved package: exactly one file with exactly one hash.
type Package struct {
	Name, Version, Architecture string
	SHA256                      string // hex, as the package index states it
	Size                        int64  // bytes
	depends                     string
	path                        string // of a local file, when the source is a folder
}

func (p Package) String() string { return p.Name + " " + p.Version }

// Source finds and fetches packages.
type Source interface {
	// Resolve names the package that would be used now. version may be empty.
	Resolve(ctx context.Context, name, version, arch string) (Package, error)
	// Fetch returns the path of the package's verified file. got is told the
	// bytes that have arrived so far.
	Fetch(ctx context.Context, p Package, got func(int64)) (string, error)
}

// resolveKernel follows a kernel meta package (linux-image-amd64) to the package
// that holds the kernel.
func resolveKernel(ctx context.Context, s Source, name, arch string) (Package, error) {
	p, err := s.Resolve(ctx, name, "", arch)
	if err != nil {
		return Package{}, fmt.Errorf("kernel package: %w", err)
	}
	for _, alternatives := range deb.ParseDepends(p.depends) {
		for _, d := range alternatives {
			if !strings.HasPrefix(d.Name, "linux-image-") {
				continue
			}
			version := ""
			if d.Relation == "=" {
				version = d.Version
			}
			k, err := s.Resolve(ctx, d.Name, version, arch)
			if err != nil {
				return Package{}, fmt.Errorf("kernel package that %s names: %w", p, err)
			}
			return k, nil
		}
	}
	return p, nil
}

func fromParagraph(p deb.Paragraph) Package {
	return Package{Name: p.Get("Package"), Version: p.Get("Version"), Architecture: p.Get("Architecture"),
		SHA256: strings.ToLower(p.Get("SHA256")), depends: p.Get("Pre-Depends") + "," + p.Get("Depends")}
}

// hashFile returns the SHA-256 (hex) and size of a file.
func hashFile(path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func verifyFile(path string, p Package) error {
	sum, size, err := hashFile(path)
	if err != nil {
		return err
	}
	if sum != p.SHA256 || p.Size > 0 && size != p.Size {
		return fmt.Errorf("package %s: %w: the index states %s, the file has %s", p, ErrCorrupt, p.SHA256, sum)
	}
	return nil
}
