package content

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"slipway/agent/wire"
)

// File is a file of a version, open for reading. Each piece is compared with its
// hash before any of it is handed out.
type File struct {
	manifestFile
	ModTime time.Time // when the version was made

	file   *os.File
	proofs *proofs
	proof  *proof
	offset int64
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	f.offset = offset
	return offset, nil
}

// Read implements io.Reader. Its error wraps ErrDamaged where the bytes at rest are
// not those of the manifest.
func (f *File) Read(p []byte) (int, error) {
	if f.offset >= f.Size {
		return 0, io.EOF
	}
	chunk := f.offset / wire.ChunkSize
	if err := f.prove(chunk); err != nil {
		return 0, err
	}
	end := min((chunk+1)*wire.ChunkSize, f.Size)
	n, err := f.file.ReadAt(p[:min(int64(len(p)), end-f.offset)], f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt, each piece compared as by Read.
func (f *File) ReadAt(p []byte, at int64) (n int, err error) {
	g := *f
	if g.offset = at; at < 0 {
		return 0, errors.New("read before the beginning")
	}
	for n < len(p) && err == nil {
		var m int
		m, err = g.Read(p[n:])
		n += m
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// Prove verifies the piece that holds a byte; beyond the end there is none.
func (f *File) Prove(at int64) error {
	if at < 0 || at >= f.Size {
		return nil
	}
	return f.prove(at / wire.ChunkSize)
}

// Close implements io.Closer.
func (f *File) Close() error { return f.file.Close() }

// prove verifies a piece unless that was done a short while ago.
func (f *File) prove(chunk int64) error {
	if f.proof.has(chunk) {
		return nil
	}
	want := f.SHA256
	if len(f.Chunks) > 0 {
		want = f.Chunks[chunk]
	}
	start := chunk * wire.ChunkSize
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f.file, start, min(wire.ChunkSize, f.Size-start))); err != nil {
		return fmt.Errorf("read a blob: %w", err)
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return fmt.Errorf("%w (%q, at byte %d)", ErrDamaged, f.Path, start)
	}
	f.proof.add(chunk)
	return nil
}

// proofLife is how long a verified piece is handed out again without another look:
// many devices fetch the same image in the same minutes, from the page cache.
const proofLife = 10 * time.Minute

// maxProofs is of how many blobs proofs are remembered.
const maxProofs = 1024

// proofs remembers which pieces of which blobs were verified lately.
type proofs struct {
	mu  sync.Mutex
	all map[string]*proof
	now func() time.Time
}

// proof is of one blob as it stood when the proof began.
type proof struct {
	mu     sync.Mutex
	info   os.FileInfo
	until  time.Time
	chunks map[int64]bool
}

// of returns the proof of an open blob, a new one when the file changed or time passed.
func (p *proofs) of(hash string, f *os.File) (*proof, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.all[hash]
	if old != nil && now.Before(old.until) && os.SameFile(old.info, info) && old.info.ModTime().Equal(info.ModTime()) && old.info.Size() == info.Size() {
		return old, nil
	}
	if p.all == nil || len(p.all) >= maxProofs {
		p.all = map[string]*proof{}
	}
	fresh := &proof{info: info, until: now.Add(proofLife), chunks: map[int64]bool{}}
	p.all[hash] = fresh
	return fresh, nil
}

func (p *proof) has(chunk int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chunks[chunk]
}

func (p *proof) add(chunk int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunks[chunk] = true
}
