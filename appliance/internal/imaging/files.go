package imaging

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"slipway/bootimages"
	"slipway/netboot"
)

// Files serves the recorded images to the boot server: "<image id>/<file>". The
// hash in the record is the entity tag.
func (s *Service) Files() netboot.Files { return imageFiles{s} }

// Loaders serves the network boot loaders by name.
func (s *Service) Loaders() netboot.Files { return netboot.NewDir(s.c.Builder.LoadersDir()) }

type imageFiles struct{ s *Service }

// Open opens a file that a record names; all else is fs.ErrNotExist.
func (f imageFiles) Open(name string) (*netboot.File, error) {
	id, file := path.Split(name)
	id = path.Clean(id)
	missing := fmt.Errorf("open %q: %w", name, fs.ErrNotExist)
	if !fs.ValidPath(name) || !bootimages.ValidID(id) || f.s.Damaged(id) != "" {
		return nil, missing
	}
	image, err := f.s.Get(id)
	if err != nil {
		return nil, missing
	}
	for _, known := range image.Files {
		if known.Name != file {
			continue
		}
		h, err := os.Open(filepath.Join(f.s.c.Builder.BootDir(), id, file))
		if err != nil {
			return nil, err
		}
		return &netboot.File{ReadSeekCloser: h, Size: known.Size, ModTime: image.BuiltAt, SHA256: known.SHA256}, nil
	}
	return nil, missing
}
