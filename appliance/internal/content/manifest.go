package content

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"slipway/agent/wire"
)

// manifestFormat is the format number of stored manifests.
const manifestFormat = 1

// maxManifest bounds a stored manifest, in bytes.
const maxManifest = 512 << 20

// manifest is what a version's manifest blob holds.
type manifest struct {
	Format int            `json:"format"`
	Files  []manifestFile `json:"files"` // by path
}

type manifestFile struct {
	Path     string   `json:"path"`
	Mode     int      `json:"mode"`
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256"`
	Chunks   []string `json:"chunks,omitempty"`
	Form     string   `json:"form,omitempty"`
	Original string   `json:"original,omitempty"`
	RawSize  int64    `json:"rawSize,omitempty"`
}

func (m manifest) size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// wire returns the files as devices see them.
func (m manifest) wire() []wire.ContentFile {
	out := make([]wire.ContentFile, 0, len(m.Files))
	for _, f := range m.Files {
		out = append(out, wire.ContentFile(f))
	}
	return out
}

func encodeManifest(m manifest) ([]byte, error) {
	m.Format = manifestFormat
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// decodeManifest reads a stored manifest and checks all of it.
func decodeManifest(text []byte) (m manifest, err error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return m, fmt.Errorf("%w: its manifest cannot be read: %w", ErrDamaged, err)
	}
	if head.Format > manifestFormat {
		return m, fmt.Errorf("the manifest has format %d: it was written by a newer version of Slipway", head.Format)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: its manifest cannot be read: %w", ErrDamaged, err)
	}
	if err := (wire.ContentManifest{Size: m.size(), Files: m.wire()}).Check(); err != nil {
		return m, fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	return m, nil
}

// putManifest keeps a manifest as a blob.
func (b *blobs) putManifest(ctx context.Context, m manifest, h *hold) (hash string, err error) {
	if err := (wire.ContentManifest{Size: m.size(), Files: m.wire()}).Check(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	text, err := encodeManifest(m)
	if err != nil {
		return "", err
	}
	s, err := b.write(ctx, bytes.NewReader(text), maxManifest, h, nil)
	return s.SHA256, err
}

// readManifest reads and verifies a manifest blob.
func (b *blobs) readManifest(hash string) (manifest, error) {
	f, err := b.open(hash)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return manifest{}, fmt.Errorf("read a manifest: %w", err)
	}
	sums := newHasher()
	_, _ = sums.Write(text)
	if sums.sum().SHA256 != hash {
		return manifest{}, fmt.Errorf("%w (the manifest %.12s)", ErrDamaged, hash)
	}
	return decodeManifest(text)
}

// opened is a manifest that is kept in memory with its files by path. It is shared:
// nobody changes it.
type opened struct {
	manifest
	byPath map[string]int
}

// cacheSize is how many files the manifests kept in memory may have together.
const cacheSize = 200_000

// manifestCache keeps manifests that were read lately.
type manifestCache struct {
	mu    sync.Mutex
	files int
	open  map[string]*opened
}

func (c *manifestCache) get(b *blobs, hash string) (*opened, error) {
	c.mu.Lock()
	o := c.open[hash]
	c.mu.Unlock()
	if o != nil {
		return o, nil
	}
	m, err := b.readManifest(hash)
	if err != nil {
		return nil, err
	}
	o = &opened{manifest: m, byPath: make(map[string]int, len(m.Files))}
	for i, f := range m.Files {
		o.byPath[f.Path] = i
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files += len(m.Files) + 1; c.open == nil || c.files > cacheSize {
		c.open, c.files = map[string]*opened{}, len(m.Files)+1
	}
	c.open[hash] = o
	return o, nil
}
