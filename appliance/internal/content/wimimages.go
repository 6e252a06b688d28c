package content

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"slipway/bootimages"
)

// Windows is a WIM or ESD file of a version with the images in it.
type Windows struct {
	Path   string
	Images []bootimages.WIMImage
	Err    error // why it cannot be read
}

// maxWindows is how many files of a version are looked at.
const maxWindows = 20

// WindowsImages reads what the WIM and ESD files of a version say of their images. Of
// what was made of a file for devices, only the file itself is looked at.
func (s *Service) WindowsImages(item string, version int) (out []Windows, err error) {
	_, v, err := s.Version(item, version)
	if err != nil {
		return nil, err
	}
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		return nil, s.noteDamage(v, err)
	}
	for _, f := range m.Files {
		ending := strings.ToLower(path.Ext(f.Path))
		if ending != ".wim" && ending != ".esd" || f.Form != "" && m.has(f.Original) || len(out) == maxWindows {
			continue
		}
		w := Windows{Path: f.Path}
		w.Images, w.Err = s.windowsImages(item, version, f)
		out = append(out, w)
	}
	return out, nil
}

func (s *Service) windowsImages(item string, version int, f manifestFile) (images []bootimages.WIMImage, err error) {
	file, err := s.Open(item, version, f.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if images, err = bootimages.WIMImages(file, f.Size); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return images, nil
}
