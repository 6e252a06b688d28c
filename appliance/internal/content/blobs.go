package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"slipway/agent/wire"
	"slipway/appliance/internal/durable"
)

// blobs is a folder of files named by their SHA-256.
type blobs struct {
	dir     string
	reserve int64 // bytes that stay free for the state and the logs

	collecting chan struct{} // holds one value while a collection is under way

	mu    sync.Mutex
	holds map[string]int  // by hash: intakes that need it
	kept  map[string]bool // during a collection: what was held at any time since its start
}

func openBlobs(dir string, reserve int64) (*blobs, error) {
	b := &blobs{dir: dir, reserve: reserve, collecting: make(chan struct{}, 1), holds: map[string]int{}}
	if err := os.RemoveAll(b.incoming()); err != nil {
		return nil, fmt.Errorf("remove what was not written to its end: %w", err)
	}
	for _, d := range []string{b.incoming(), filepath.Join(dir, "blobs")} {
		if err := os.MkdirAll(d, 0o700); err != nil && !errors.Is(full(err), ErrFull) {
			return nil, fmt.Errorf("make the folder for content: %w", err)
		}
	}
	return b, nil
}

func (b *blobs) incoming() string { return filepath.Join(b.dir, "incoming") }

func (b *blobs) path(hash string) string {
	return filepath.Join(b.dir, "blobs", hash[:2], hash)
}

// room answers ErrFull unless size more bytes fit beside the reserve.
func (b *blobs) room(size int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(b.dir, &st); err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	if free := int64(st.Bavail) * st.Frsize; free-b.reserve < size { //nolint:gosec // fits: a disk of 8 EiB
		return fmt.Errorf("%w: %d more bytes of content are to be written", ErrFull, size)
	}
	return nil
}

// hold keeps blobs from being collected until it is released.
type hold struct {
	blobs  *blobs
	hashes []string
}

func (b *blobs) hold() *hold { return &hold{blobs: b} }

// add is called with blobs.mu held.
func (h *hold) add(hash string) {
	h.hashes = append(h.hashes, hash)
	h.blobs.holds[hash]++
	if h.blobs.kept != nil {
		h.blobs.kept[hash] = true
	}
}

func (h *hold) release() {
	h.blobs.mu.Lock()
	defer h.blobs.mu.Unlock()
	for _, hash := range h.hashes {
		if h.blobs.holds[hash]--; h.blobs.holds[hash] == 0 {
			delete(h.blobs.holds, hash)
		}
	}
	h.hashes = nil
}

// blobWriter takes the bytes of a new blob. Without commit nothing comes of it.
type blobWriter struct {
	blobs  *blobs
	file   *os.File
	hasher *hasher
	until  int64 // bytes for which there was room
}

func (b *blobs) create() (*blobWriter, error) {
	if err := os.MkdirAll(b.incoming(), 0o700); err != nil {
		return nil, full(err)
	}
	f, err := os.CreateTemp(b.incoming(), "blob-*")
	if err != nil {
		return nil, fmt.Errorf("begin a blob: %w", full(err))
	}
	return &blobWriter{blobs: b, file: f, hasher: newHasher()}, nil
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if w.hasher.size+int64(len(p)) > w.until {
		if err := w.blobs.room(int64(len(p)) + wire.ChunkSize); err != nil {
			return 0, err
		}
		w.until = w.hasher.size + int64(len(p)) + wire.ChunkSize
	}
	n, err := w.file.Write(p)
	_, _ = w.hasher.Write(p[:n])
	return n, full(err)
}

// commit makes the bytes durable under their hash.
func (w *blobWriter) commit(h *hold) (sum, error) {
	s := w.hasher.sum()
	err := errors.Join(w.file.Chmod(0o400), w.file.Sync(), w.file.Close())
	if err == nil {
		err = w.blobs.place(w.file.Name(), s.SHA256, h)
	}
	if err != nil {
		_ = os.Remove(w.file.Name())
		return sum{}, fmt.Errorf("keep a blob: %w", full(err))
	}
	return s, nil
}

// abort removes what was written. After commit it does nothing.
func (w *blobWriter) abort() {
	if w.file.Close() == nil {
		_ = os.Remove(w.file.Name())
	}
}

// place gives a synced file its final name. One that is there already is replaced:
// it may be damaged, the new one was hashed a moment ago.
func (b *blobs) place(from, hash string, h *hold) error {
	b.mu.Lock()
	h.add(hash)
	b.mu.Unlock()
	to := b.path(hash)
	dir := filepath.Dir(to)
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = durable.Folder(filepath.Dir(dir))
		}
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	if err == nil {
		err = durable.Folder(dir)
	}
	return err
}

// write reads r to its end, at most limit bytes, into a blob.
func (b *blobs) write(ctx context.Context, r io.Reader, limit int64, h *hold, progress func(n int64)) (sum, error) {
	w, err := b.create()
	if err != nil {
		return sum{}, err
	}
	defer w.abort()
	if err := copyTo(ctx, w, r, limit, progress); err != nil {
		return sum{}, err
	}
	return w.commit(h)
}

// adopt makes a blob of a file below the folder without copying it. The file stays as a
// second name of the same bytes, so that nothing is lost when the version does not come
// about; the caller removes it when it does. It must not be open for writing.
func (b *blobs) adopt(ctx context.Context, f source, h *hold, progress func(n int64)) (sum, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return sum{}, err
	}
	defer file.Close()
	hash := newHasher()
	if err := copyTo(ctx, hash, file, wire.MaxContentSize, progress); err != nil {
		return sum{}, err
	}
	s := hash.sum()
	if err := f.check(s); err != nil {
		return sum{}, err
	}
	if err := errors.Join(file.Chmod(0o400), file.Sync()); err != nil {
		return sum{}, full(err)
	}
	name := filepath.Join(b.incoming(), "link-"+uuid.NewString())
	if err := os.MkdirAll(b.incoming(), 0o700); err != nil {
		return sum{}, full(err)
	}
	if err := os.Link(f.path, name); err != nil { // a file system without hard links
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return sum{}, err
		}
		return b.write(ctx, file, wire.MaxContentSize, h, nil)
	}
	err = b.place(name, s.SHA256, h)
	_ = os.Remove(name) // still there when place failed, or had nothing to do: the blob was this file already
	return s, full(err)
}

// copyTo copies until EOF, the limit or the end of ctx.
func copyTo(ctx context.Context, w io.Writer, r io.Reader, limit int64, progress func(n int64)) error {
	buf := make([]byte, 256<<10)
	for total := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if total += int64(n); total > limit {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if progress != nil {
				progress(int64(n))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// open opens a blob for reading.
func (b *blobs) open(hash string) (*os.File, error) {
	f, err := os.Open(b.path(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (the blob %.12s is missing)", ErrDamaged, hash)
	}
	return f, err
}

var blobName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// collect removes blobs that used, asked after it began, does not name and no intake
// holds. It returns how many bytes became free.
func (b *blobs) collect(used func() (map[string]bool, error)) (freed int64, err error) {
	select {
	case b.collecting <- struct{}{}:
	default:
		return 0, ErrBusy
	}
	defer func() { <-b.collecting }()
	b.mu.Lock()
	b.kept = map[string]bool{}
	for hash := range b.holds {
		b.kept[hash] = true
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.kept = nil
		b.mu.Unlock()
	}()
	named, err := used()
	if err != nil {
		return 0, err
	}
	err = filepath.WalkDir(filepath.Join(b.dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !blobName.MatchString(d.Name()) || named[d.Name()] {
			return err
		}
		n, err := b.discard(path, d.Name())
		freed += n
		return err
	})
	return freed, err
}

func (b *blobs) discard(path, hash string) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept[hash] {
		return 0, nil
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return 0, fmt.Errorf("remove a blob that nothing names: %w", err)
	}
	return info.Size(), nil
}
