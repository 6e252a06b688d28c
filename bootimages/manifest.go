package bootimages

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"slipway/fleet"
)

// ManifestName is the file beside an image's files that describes them.
const ManifestName = "image.json"

const manifestFormat = 1

// manifest is what is stored; its fields are frozen per format, so it is a type
// of its own.
type manifest struct {
	Format        int            `json:"format"`
	ID            string         `json:"id"`
	Kind          string         `json:"kind"`
	Architecture  string         `json:"architecture"`
	Files         []manifestFile `json:"files"`
	KernelRelease string         `json:"kernelRelease,omitempty"`
	ModuleCount   int            `json:"moduleCount,omitempty"`
	AgentVersion  string         `json:"agentVersion,omitempty"`
	Protocol      int            `json:"protocol"`
	CASet         []string       `json:"caSet"`
	Lab           bool           `json:"lab"`
	BuiltAt       time.Time      `json:"builtAt"`
	Inputs        []string       `json:"inputs"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ValidID reports whether s has the form of an image id.
func ValidID(s string) bool { return idPattern.MatchString(s) }

func encodeManifest(b fleet.BootImage) ([]byte, error) {
	m := manifest{Format: manifestFormat, ID: b.ID, Kind: b.Kind, Architecture: b.Architecture, KernelRelease: b.KernelRelease,
		ModuleCount: b.ModuleCount, AgentVersion: b.AgentVersion, Protocol: b.Protocol, CASet: b.CASet, Lab: b.Lab,
		BuiltAt: b.BuiltAt.UTC(), Inputs: b.Inputs}
	for _, f := range b.Files {
		m.Files = append(m.Files, manifestFile(f))
	}
	out, err := json.MarshalIndent(m, "", "  ")
	return append(out, '\n'), err
}

func decodeManifest(b []byte) (fleet.BootImage, error) {
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return fleet.BootImage{}, err
	}
	if m.Format != manifestFormat {
		return fleet.BootImage{}, fmt.Errorf("format %d is newer than this program knows (%d)", m.Format, manifestFormat)
	}
	out := fleet.BootImage{ID: m.ID, Kind: m.Kind, Architecture: m.Architecture, KernelRelease: m.KernelRelease, ModuleCount: m.ModuleCount,
		AgentVersion: m.AgentVersion, Protocol: m.Protocol, CASet: m.CASet, Lab: m.Lab, BuiltAt: m.BuiltAt, Inputs: m.Inputs}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) || f.Name == ManifestName || f.Size < 0 {
			return fleet.BootImage{}, fmt.Errorf("bad file name %q", f.Name)
		}
		out.Files = append(out.Files, fleet.ImageFile(f))
		out.Size += f.Size
	}
	if !ValidID(out.ID) || len(out.Files) == 0 {
		return fleet.BootImage{}, errors.New("not the description of an image")
	}
	return out, nil
}

// ReadManifest reads an image's folder. It checks that every file is there with
// its size, but not the hashes: see Verify.
func ReadManifest(dir string) (fleet.BootImage, error) {
	p := filepath.Join(dir, ManifestName)
	raw, err := os.ReadFile(p)
	if err != nil {
		return fleet.BootImage{}, err
	}
	b, err := decodeManifest(raw)
	if err != nil {
		return fleet.BootImage{}, fmt.Errorf("%s: %w", p, err)
	}
	for _, f := range b.Files {
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil {
			return fleet.BootImage{}, err
		}
		if info.Size() != f.Size {
			return fleet.BootImage{}, fmt.Errorf("%s: %w", filepath.Join(dir, f.Name), ErrCorrupt)
		}
	}
	return b, nil
}

// Verify checks every file of an image's folder against its hash.
func Verify(dir string) (fleet.BootImage, error) {
	b, err := ReadManifest(dir)
	if err != nil {
		return fleet.BootImage{}, err
	}
	for _, f := range b.Files {
		if err := VerifyFile(dir, f); err != nil {
			return fleet.BootImage{}, err
		}
	}
	return b, nil
}

// VerifyFile checks one file of an image's folder against its hash.
func VerifyFile(dir string, f fleet.ImageFile) error {
	p := filepath.Join(dir, f.Name)
	sum, _, err := hashFile(p)
	if err == nil && sum != f.SHA256 {
		err = fmt.Errorf("%s: %w", p, ErrCorrupt)
	}
	return err
}
