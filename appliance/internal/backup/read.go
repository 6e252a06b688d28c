package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"filippo.io/age"

	"slipway/appliance/internal/content"
)

// fileMagic begins every backup: age's first line, and a recipient of scrypt.
const fileMagic = "age-encryption.org/v1\n-> scrypt "

// sink takes what a backup holds: its manifest, then each entry. put must read r to
// its end.
type sink interface {
	expect(m Manifest) error
	put(ctx context.Context, f File, r io.Reader) error
	putBlob(ctx context.Context, b content.Blob, r io.Reader) error
}

// read opens a backup and gives each entry to the sink. Only when it returns nil was the
// file whole: until then nothing that the sink has got may be used.
func read(ctx context.Context, r io.Reader, passphrase string, to sink) (Manifest, error) {
	source := &watched{r: r}
	in := bufio.NewReaderSize(source, 64<<10)
	if head, err := in.Peek(len(fileMagic)); string(head) != fileMagic {
		if err != nil && source.err != nil {
			return Manifest{}, source.err
		}
		return Manifest{}, ErrNotBackup
	}
	id, err := identity(passphrase)
	if err != nil {
		return Manifest{}, err
	}
	opened, err := age.Decrypt(in, id)
	var wrong *age.NoIdentityMatchError
	switch {
	case err == nil:
	case source.err != nil:
		return Manifest{}, source.err
	case errors.As(err, &wrong):
		return Manifest{}, ErrPassphrase
	default:
		return Manifest{}, fmt.Errorf("%w (%v)", ErrDamaged, err)
	}
	plain := &watched{r: opened}
	m, err := readArchive(ctx, plain, to)
	switch {
	case source.err != nil:
		return m, source.err // the disk, not the file
	case plain.err != nil:
		return m, ErrDamaged // whatever it looked like to the reader of the archive
	}
	return m, err
}

// watched remembers the first error that is not the end.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && w.err == nil {
		w.err = fmt.Errorf("read the backup: %w", err)
	}
	return n, err
}

// readArchive reads the tar to its very end.
func readArchive(ctx context.Context, r io.Reader, to sink) (m Manifest, err error) {
	in := tar.NewReader(r)
	head, err := nextEntry(in, manifestName, maxManifest)
	if err != nil {
		return m, err
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return m, fmt.Errorf("%w (%v)", ErrDamaged, err)
	}
	if int64(len(body)) != head.Size {
		return m, ErrDamaged
	}
	if m, err = parseManifest(body); err != nil {
		return m, err
	}
	if err := to.expect(m); err != nil {
		return m, err
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		h, err := nextEntry(in, f.Name, f.limit())
		if err != nil {
			return m, err
		}
		if h.Size != f.Size {
			return m, fmt.Errorf("%w (%s has another size)", ErrDamaged, f.Name)
		}
		if err := readEntry(ctx, f, in, to); err != nil {
			return m, err
		}
	}
	if m.Content != nil {
		if err := readBlobs(ctx, in, *m.Content, to); err != nil {
			return m, err
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w (more than its manifest says)", ErrDamaged)
	}
	return m, drain(r)
}

func nextEntry(in *tar.Reader, name string, limit int64) (*tar.Header, error) {
	h, err := in.Next()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (%s is missing)", ErrDamaged, name)
	case h.Name != name || h.Typeflag != tar.TypeReg || h.Size > limit:
		return nil, fmt.Errorf("%w (%q instead of %s)", ErrDamaged, h.Name, name)
	}
	return h, nil
}

// readBlobs gives the entries of content to the sink, which compares their sums.
func readBlobs(ctx context.Context, in *tar.Reader, c Content, to sink) error {
	last, left := "", c.Size
	for range c.Blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if err != nil {
			return fmt.Errorf("%w (content is missing)", ErrDamaged)
		}
		name, ok := strings.CutPrefix(h.Name, contentFolder+"/")
		if !ok || h.Typeflag != tar.TypeReg || !blobName.MatchString(name) || name <= last || h.Size > left {
			return fmt.Errorf("%w (%q is not the content that follows)", ErrDamaged, h.Name)
		}
		last = name
		left -= h.Size
		if err := to.putBlob(ctx, content.Blob{SHA256: name, Size: h.Size}, in); err != nil {
			return err
		}
	}
	if left != 0 {
		return fmt.Errorf("%w (content of another size)", ErrDamaged)
	}
	return nil
}

var blobName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// readEntry gives one entry to the sink and compares its sum.
func readEntry(ctx context.Context, f File, in io.Reader, to sink) error {
	sum := sha256.New()
	n := &counter{w: sum}
	if err := to.put(ctx, f, io.TeeReader(in, n)); err != nil {
		return err
	}
	if n.n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%w (%s has another sum)", ErrDamaged, f.Name)
	}
	return nil
}

// drain reads what follows the archive's end: zeros, and age's mark of the end, without
// which the file was cut.
func drain(r io.Reader) error {
	rest, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil || len(rest) == 1<<20 || len(bytes.Trim(rest, "\x00")) > 0 {
		return fmt.Errorf("%w (something follows its end)", ErrDamaged)
	}
	return nil
}
