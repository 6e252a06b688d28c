package steps

import (
	"context"
	"fmt"

	"slipway/agent/internal/disk"
)

// applyOperatingSystemFromCloud applies a Windows that the appliance fetches by its
// catalogues, or has fetched before, in the form that it makes for this way.
func applyOperatingSystemFromCloud(ctx context.Context, s *Step) (Outcome, error) {
	if !onWindows(s) {
		return Outcome{}, errOnlyWindows // before gigabytes are fetched
	}
	ref, name, index, err := systemFromCloud(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	manifest, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return Outcome{}, err
	}
	img, err := findImage(manifest)
	if err != nil {
		return Outcome{}, err
	}
	if img.kind != imageWIM {
		return Outcome{}, fmt.Errorf("what the catalogue names (%s) is no image of a Windows: %s is a %s", manifest.Name, img.Path, img.kind)
	}
	s.Log("info", fmt.Sprintf("%s, version %d: %s, %s", manifest.Name, manifest.Version, img.Path, disk.Bytes(img.Size)))
	return Outcome{}, applyWindows(ctx, s, ref, img, name, index)
}
