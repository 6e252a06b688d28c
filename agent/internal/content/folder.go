package content

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// Folder implements steps.Content. The files come as one stream, each is verified;
// nothing is written outside of dir, and after an error nothing of it stays.
func (s *Source) Folder(ctx context.Context, version tasksequence.Reference, dir string, progress func(done, total int64)) error {
	m, err := s.Manifest(ctx, version)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("content %s: %w", version, err)
	}
	defer root.Close()
	u := &unpacker{s: s, version: version, m: m, root: root, progress: progress, patience: s.patience()}
	if err := u.run(ctx); err != nil {
		u.remove()
		return fmt.Errorf("content %s: %w", version, explain(err))
	}
	return nil
}

// unpacker writes the files of a version.
type unpacker struct {
	s        *Source
	version  tasksequence.Reference
	m        wire.ContentManifest
	root     *os.Root
	progress func(done, total int64)
	patience *patience

	next int // index of the file that comes
	done int64
	bad  int // how often that file was not right
}

func (u *unpacker) run(ctx context.Context) error {
	for u.next < len(u.m.Files) {
		if err := u.session(ctx); err != nil {
			if err := u.patience.wait(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// session takes files from one connection until it breaks.
func (u *unpacker) session(ctx context.Context) error {
	body, err := u.s.get(ctx, client.ContentPath(u.version.ID, u.version.Version, "")+"?stream=tar&from="+strconv.Itoa(u.next))
	if err != nil {
		return err
	}
	defer body.Close()
	in := tar.NewReader(body)
	for u.next < len(u.m.Files) {
		f := u.m.Files[u.next]
		h, err := in.Next()
		if errors.Is(err, tar.ErrHeader) {
			return u.wrong(fmt.Errorf("%w (no header before %q)", ErrDamaged, f.Path))
		}
		if err != nil {
			return fmt.Errorf("the stream broke off: %w", err)
		}
		if h.Name != f.Path || h.Size != f.Size || h.Typeflag != tar.TypeReg {
			return u.wrong(fmt.Errorf("%w (%q came instead of %q)", ErrDamaged, h.Name, f.Path))
		}
		if err := u.file(in, f); err != nil {
			return err
		}
		u.next, u.bad = u.next+1, 0
		u.patience.moved()
	}
	return nil
}

// wrong fetches what is not right a second time, then gives up.
func (u *unpacker) wrong(err error) error {
	if u.bad++; u.bad > 1 {
		return finalError{err}
	}
	return err
}

// file writes one file. What was written of it goes when it is not whole.
func (u *unpacker) file(in io.Reader, f wire.ContentFile) error {
	if d := path.Dir(f.Path); d != "." {
		if err := u.root.MkdirAll(d, 0o755); err != nil {
			return finalError{err}
		}
	}
	out, err := u.root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return finalError{err}
	}
	before := u.done
	err = u.copy(out, in, f)
	if err == nil {
		err = local(out.Chmod(fs.FileMode(f.Mode) & fs.ModePerm)) //nolint:gosec // checked by the manifest's Check
	}
	err = errors.Join(err, local(out.Close()))
	if err != nil {
		u.done = before
		_ = u.root.Remove(f.Path)
	}
	return err
}

func local(err error) error {
	if err == nil {
		return nil
	}
	return finalError{err}
}

// copy writes and hashes the bytes of a file.
func (u *unpacker) copy(out io.Writer, in io.Reader, f wire.ContentFile) error {
	sum := sha256.New()
	buf := make([]byte, min(max(f.Size, 1), 256<<10))
	for {
		n, err := in.Read(buf)
		if n > 0 {
			sum.Write(buf[:n])
			if _, err := out.Write(buf[:n]); err != nil {
				return finalError{err}
			}
			if u.done += int64(n); u.progress != nil {
				u.progress(u.done, u.m.Size)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the stream broke off: %w", err)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return u.wrong(fmt.Errorf("%w (%q)", ErrDamaged, f.Path))
	}
	return nil
}

// remove takes back what was written: the files, and folders that are empty then.
func (u *unpacker) remove() {
	for _, f := range u.m.Files[:u.next] {
		_ = u.root.Remove(f.Path)
	}
	for _, f := range u.m.Files[:min(u.next+1, len(u.m.Files))] {
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			if u.root.Remove(d) != nil {
				break
			}
		}
	}
}
