package imaging

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slipway/bootimages"
	"slipway/netboot"
)

// Files serves the recorded images to the boot server: "<image id>/<file>". The
// hash in the record is the entity tag.
func (s *Service) Files() netboot.Files { return imageFiles{s} }

// Loaders serves the network boot loaders by name: those of the ipxe package, the
// signed shim and GRUB that media are made with as well, and below
// netboot.SignedFolder what the administrator put there.
func (s *Service) Loaders() netboot.Files {
	b := s.c.Builder
	data := filepath.Dir(b.BootDir())
	return loaderFiles{
		Dir:     netboot.NewDir(b.LoadersDir()),
		parts:   netboot.NewDir(filepath.Join(b.BootDir(), bootimages.PartsFolder)),
		windows: netboot.NewDir(filepath.Join(data, netboot.WindowsFolder)),
		signed:  netboot.NewDir(filepath.Join(data, netboot.SignedFolder)),
	}
}

type loaderFiles struct {
	*netboot.Dir
	parts, signed, windows *netboot.Dir
}

// Open implements netboot.Files.
func (l loaderFiles) Open(name string) (*netboot.File, error) {
	if rest, ok := strings.CutPrefix(name, netboot.SignedFolder+"/"); ok {
		return l.signed.Open(rest)
	}
	switch name {
	case "wimboot": // the administrator's
		return l.windows.Open(name)
	case "shimx64.efi":
		return l.parts.Open(name)
	case "grubx64.efi": // the name that shim asks for
		return l.parts.Open("grubnetx64.efi")
	}
	return l.Dir.Open(name)
}

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
	if file == bootimages.WinPEDisk && image.Kind == bootimages.KindWinPE {
		disk, size, err := f.s.c.Builder.OpenDisk(image)
		if err != nil {
			return nil, err
		}
		return &netboot.File{ReadSeekCloser: disk, Size: size, ModTime: image.BuiltAt}, nil
	}
	return nil, missing
}
