package backup

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"filippo.io/age"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
)

// Sources are what a backup is made of. All but Now must be set; Content only for
// backups with it.
type Sources struct {
	Store        *state.Store
	Keyring      *secrets.Keyring
	Data         string // the data folder: key file, audit log, catalogues
	Version      string // of the product
	Installation string
	Content      *content.Service
	Now          func() time.Time
}

// Wanted says what else than the state goes into a backup.
type Wanted struct {
	Configuration []byte // of the configuration file; nil for none
	Content       bool   // with the bytes of content
}

// Writer writes backups of a running appliance, one at a time: each takes a good deal
// of memory for its passphrase.
type Writer struct {
	from   Sources
	factor int
	busy   sync.Mutex
}

// NewWriter returns a writer.
func NewWriter(s Sources) *Writer {
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Writer{from: s, factor: workFactor}
}

// Write writes a backup of this moment to w, sealed under a passphrase. The appliance
// goes on meanwhile. On an error what w has got until then is of no use.
//
// Errors: ErrWeak, ErrBusy, content.ErrDamaged, and those of w and of the sources.
func (b *Writer) Write(ctx context.Context, w io.Writer, passphrase string, want Wanted) (Manifest, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return Manifest{}, err
	}
	if !b.busy.TryLock() {
		return Manifest{}, ErrBusy
	}
	defer b.busy.Unlock()
	entries, moment, err := b.collect(ctx, want)
	defer entries.close()
	if moment != nil {
		defer moment.Release()
	}
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: formatPlain, Product: product, Version: b.from.Version, Installation: b.from.Installation,
		Created: b.from.Now().UTC().Truncate(time.Second)}
	for _, e := range entries {
		f, err := measure(ctx, e)
		if err != nil {
			return m, err
		}
		m.Files = append(m.Files, f)
	}
	if moment != nil {
		m.Format, m.Content = formatContent, &Content{Blobs: len(moment.Blobs), Size: moment.Size}
	}
	if slices.ContainsFunc(m.Files, func(f File) bool { return catalogueName.MatchString(f.Name) }) {
		m.Format = formatCatalogues
	}
	to, err := recipient(passphrase, b.factor)
	if err != nil {
		return m, fmt.Errorf("recovery passphrase: %w", err)
	}
	out := &outlet{w: w}
	if err := seal(ctx, out, to, m, entries, moment); err != nil {
		return m, fmt.Errorf("write the backup: %w", cmp.Or(out.err, err)) // age does not wrap w's
	}
	return m, nil
}

func seal(ctx context.Context, w io.Writer, to age.Recipient, m Manifest, list entries, moment *content.Moment) error {
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return err
	}
	if err := archive(ctx, sealed, m, list, moment); err != nil {
		return err
	}
	return sealed.Close() // without it the file counts as cut
}

// outlet remembers the first error of a writer.
type outlet struct {
	w   io.Writer
	err error
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.err = cmp.Or(o.err, err)
	return n, err
}

// entry is a part of the archive whose content does not change any more. write gives
// the same bytes as often as it is called.
type entry struct {
	name  string
	write func(ctx context.Context, w io.Writer) error
	close func() // nil: nothing is held; called more than once
}

func (e entry) done() {
	if e.close != nil {
		e.close()
	}
}

type entries []entry

func (list entries) close() {
	for _, e := range list {
		e.done()
	}
}

// collect takes hold of all parts at one moment. moment is nil without content.
func (b *Writer) collect(ctx context.Context, want Wanted) (list entries, moment *content.Moment, err error) {
	freeze := func() (point *state.Point, err error) {
		point, key, err := b.freeze()
		if err == nil {
			list = append(list, entry{stateName, point.Write, point.Release}, fixed(keyName, key))
		}
		return point, err
	}
	if want.Content {
		moment, err = b.from.Content.Freeze(ctx, freeze)
	} else {
		_, err = freeze()
	}
	if err != nil {
		return list, moment, err
	}
	logs, err := folderEntries(b.from.Data, auditFolder, auditName, endOfLines)
	list = append(list, logs...)
	if err != nil {
		return list, moment, err
	}
	catalogues, err := folderEntries(b.from.Data, catalogueFolder, catalogueName, wholeFile)
	list = append(list, catalogues...)
	if err == nil && want.Configuration != nil {
		list = append(list, fixed(ConfigurationName, want.Configuration))
	}
	return list, moment, err
}

// freeze takes hold of the state while no rotation of the key is under way, so that
// the key opens it.
func (b *Writer) freeze() (point *state.Point, key []byte, err error) {
	err = b.from.Keyring.Still(filepath.Join(b.from.Data, keyName), func(now []byte) (err error) {
		key = now
		point, err = b.from.Store.Freeze()
		return err
	})
	return point, key, err
}

func fixed(name string, content []byte) entry {
	return entry{name: name, write: func(_ context.Context, w io.Writer) error {
		_, err := w.Write(content)
		return err
	}}
}

// measure writes an entry to nowhere.
func measure(ctx context.Context, e entry) (File, error) {
	sum := sha256.New()
	n := &counter{w: sum}
	if err := e.write(ctx, n); err != nil {
		return File{}, fmt.Errorf("read %s: %w", e.name, err)
	}
	return File{Name: e.name, Size: n.n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// archive writes the tar. Each entry is let go when it is written: the content that
// follows takes its time.
func archive(ctx context.Context, w io.Writer, m Manifest, list entries, moment *content.Moment) error {
	head, err := m.encode()
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	put := func(e entry, size int64) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: size, Mode: 0o600, ModTime: m.Created, Format: tar.FormatUSTAR}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		return e.write(ctx, out)
	}
	if err := put(fixed(manifestName, head), int64(len(head))); err != nil {
		return err
	}
	for i, e := range list {
		if err := put(e, m.Files[i].Size); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		e.done()
	}
	if moment != nil {
		if err := blobs(ctx, out, m.Created, moment); err != nil {
			return err
		}
	}
	return out.Close()
}

// blobs writes the bytes of content.
func blobs(ctx context.Context, out *tar.Writer, at time.Time, moment *content.Moment) error {
	for _, b := range moment.Blobs {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: contentFolder + "/" + b.SHA256, Size: b.Size, Mode: 0o600, ModTime: at}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if err := moment.Write(ctx, b, out); err != nil {
			return err
		}
	}
	return nil
}

// wholeLines is how many bytes of data end in a whole line.
func wholeLines(data []byte) int64 { return int64(bytes.LastIndexByte(data, '\n') + 1) }
