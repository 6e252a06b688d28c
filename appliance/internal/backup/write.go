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
	"sync"
	"time"

	"filippo.io/age"

	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/state"
)

// Sources are what a backup is made of. All but Now must be set.
type Sources struct {
	Store        *state.Store
	Keyring      *secrets.Keyring
	Data         string // the data folder: key file, audit log
	Version      string // of the product
	Installation string
	Now          func() time.Time
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

// Write writes a backup of this moment to w, sealed under a passphrase. configuration
// is the content of the configuration file, nil for none. The appliance goes on
// meanwhile. On an error what w has got until then is of no use.
//
// Errors: ErrWeak, ErrBusy, and those of w and of the sources.
func (b *Writer) Write(ctx context.Context, w io.Writer, passphrase string, configuration []byte) (Manifest, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return Manifest{}, err
	}
	if !b.busy.TryLock() {
		return Manifest{}, ErrBusy
	}
	defer b.busy.Unlock()
	entries, err := b.collect(configuration)
	defer entries.close()
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: manifestFormat, Product: product, Version: b.from.Version, Installation: b.from.Installation,
		Created: b.from.Now().UTC().Truncate(time.Second)}
	for _, e := range entries {
		f, err := measure(ctx, e)
		if err != nil {
			return m, err
		}
		m.Files = append(m.Files, f)
	}
	to, err := recipient(passphrase, b.factor)
	if err != nil {
		return m, fmt.Errorf("recovery passphrase: %w", err)
	}
	out := &outlet{w: w}
	if err := seal(ctx, out, to, m, entries); err != nil {
		return m, fmt.Errorf("write the backup: %w", cmp.Or(out.err, err)) // age does not wrap w's
	}
	return m, nil
}

func seal(ctx context.Context, w io.Writer, to age.Recipient, m Manifest, list entries) error {
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return err
	}
	if err := archive(ctx, sealed, m, list); err != nil {
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
	close func()
}

type entries []entry

func (list entries) close() {
	for _, e := range list {
		if e.close != nil {
			e.close()
		}
	}
}

// collect takes hold of all parts at one moment: while no rotation of the key is under
// way, so that the key opens the state.
func (b *Writer) collect(configuration []byte) (list entries, err error) {
	err = b.from.Keyring.Still(filepath.Join(b.from.Data, keyName), func(key []byte) error {
		point, err := b.from.Store.Freeze()
		if err != nil {
			return err
		}
		list = append(list, entry{stateName, point.Write, point.Release}, fixed(keyName, key))
		return nil
	})
	if err != nil {
		return list, err
	}
	logs, err := auditEntries(filepath.Join(b.from.Data, auditFolder))
	list = append(list, logs...)
	if err == nil && configuration != nil {
		list = append(list, fixed(ConfigurationName, configuration))
	}
	return list, err
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

// archive writes the tar.
func archive(ctx context.Context, w io.Writer, m Manifest, list entries) error {
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
	}
	return out.Close()
}

// wholeLines is how many bytes of data end in a whole line.
func wholeLines(data []byte) int64 { return int64(bytes.LastIndexByte(data, '\n') + 1) }
