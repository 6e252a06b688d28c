package content

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
)

// Tar writes the files of a version as one tar stream, in the order of the manifest,
// beginning with the file of that index.
func (s *Service) Tar(ctx context.Context, item string, version, from int, w io.Writer) error {
	_, v, err := s.Version(item, version)
	if err != nil {
		return err
	}
	m, err := s.manifests.get(s.blobs, v.Manifest)
	if err != nil {
		return s.noteDamage(v, err)
	}
	if from < 0 || from > len(m.Files) {
		return invalid("version %s has %d files, none of number %d", v.Reference(), len(m.Files), from)
	}
	out := tar.NewWriter(w)
	for _, f := range m.Files[from:] {
		file, err := s.openFile(v, f)
		if err != nil {
			return err
		}
		err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: int64(f.Mode), Size: f.Size, ModTime: v.CreatedAt, Format: tar.FormatPAX})
		if err == nil {
			err = copyTo(ctx, out, file, f.Size, nil)
		}
		_ = file.Close() // only read
		if err != nil {
			return s.noteDamage(v, fmt.Errorf("send %q: %w", f.Path, err))
		}
	}
	return out.Close()
}
