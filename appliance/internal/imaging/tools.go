package imaging

import (
	"fmt"
	"path/filepath"

	"slipway/bootimages"
	"slipway/fleet"
)

// ToolPack returns where an image's tool pack lies. An error when the
// image was built without one.
func (s *Service) ToolPack(id string) (string, fleet.ImageFile, error) {
	image, err := s.Get(id)
	if err != nil {
		return "", fleet.ImageFile{}, err
	}
	for _, f := range image.Files {
		if f.Name == bootimages.ToolPack {
			return filepath.Join(s.c.Builder.BootDir(), image.ID, f.Name), f, nil
		}
	}
	return "", fleet.ImageFile{}, fmt.Errorf("%w: boot image %.12s has no tool pack", bootimages.ErrOption, id)
}
