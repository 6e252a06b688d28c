package netboot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// Files is a place that files are served from. Names are slash-separated and
// relative (fs.ValidPath); a name that does not exist, or is a directory, is
// fs.ErrNotExist. Implementations are safe for concurrent use.
type Files interface {
	Open(name string) (*File, error)
}

// File is an open file and what is needed to serve it. A file's content must
// not change while it is open.
type File struct {
	io.ReadSeekCloser
	Size    int64
	ModTime time.Time
	SHA256  string // lower case hex: the entity tag
}

// Folder is implemented by Files that can find a name whatever its case.
type Folder interface {
	// Fold returns the existing name that equals name when case is ignored.
	Fold(name string) (string, bool)
}

// Dir serves the files of a directory. Nothing outside of it can be reached,
// by symbolic links neither. Hashes are computed once per file version. The
// directory may come into being later.
type Dir struct {
	root string

	mu     sync.Mutex
	hashes map[fileVersion]*fileHash
}

// NewDir returns the files of a directory.
func NewDir(root string) *Dir {
	return &Dir{root: root, hashes: map[fileVersion]*fileHash{}}
}

type fileVersion struct {
	name    string
	size    int64
	modTime time.Time
}

type fileHash struct {
	once sync.Once
	sum  string
	err  error
}

// maxHashes bounds the remembered hashes; beyond it they are computed anew.
const maxHashes = 4096

// Open implements Files.
func (d *Dir) Open(name string) (*File, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("open %q: %w", name, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, notExist(name, err)
	}
	file, err := d.describe(name, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

// notExist makes what a visitor may cause (a file used as a directory, a link
// that leads outside) the same as a missing file.
func notExist(name string, err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("open %q: %w (%v)", name, fs.ErrNotExist, err)
}

func (d *Dir) describe(name string, f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open %q: %w", name, fs.ErrNotExist)
	}
	h := d.hash(fileVersion{name, info.Size(), info.ModTime()})
	h.once.Do(func() { h.sum, h.err = hashFile(f) })
	if h.err != nil {
		return nil, h.err
	}
	return &File{ReadSeekCloser: f, Size: info.Size(), ModTime: info.ModTime(), SHA256: h.sum}, nil
}

func (d *Dir) hash(v fileVersion) *fileHash {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hashes[v]
	if h == nil {
		if len(d.hashes) >= maxHashes {
			clear(d.hashes)
		}
		h = &fileHash{}
		d.hashes[v] = h
	}
	return h
}

func hashFile(f *os.File) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", f.Name(), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Fold implements Folder.
func (d *Dir) Fold(name string) (string, bool) {
	if !fs.ValidPath(name) || name == "." {
		return "", false
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return "", false
	}
	defer root.Close()
	found := "."
	for part := range strings.SplitSeq(name, "/") {
		entries, err := fs.ReadDir(root.FS(), found)
		if err != nil {
			return "", false
		}
		next := ""
		for _, e := range entries {
			if strings.EqualFold(e.Name(), part) {
				next = e.Name()
				break
			}
		}
		if next == "" {
			return "", false
		}
		found = path.Join(found, next)
	}
	return found, true
}
