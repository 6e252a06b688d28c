package content

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"slipway/agent/wire"
)

// sum is what is known of the bytes of a file.
type sum struct {
	SHA256 string   // hex
	Chunks []string // hex, of each wire.ChunkSize bytes; nil for a file of one piece
	Size   int64
}

// hasher computes a sum while bytes pass by.
type hasher struct {
	whole, piece hash.Hash
	size         int64
	chunks       []string
}

func newHasher() *hasher { return &hasher{whole: sha256.New(), piece: sha256.New()} }

// Write never fails.
func (h *hasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(int64(len(p)), wire.ChunkSize-h.size%wire.ChunkSize)]
		h.whole.Write(part)
		h.piece.Write(part)
		h.size += int64(len(part))
		p = p[len(part):]
		if h.size%wire.ChunkSize == 0 {
			h.closePiece()
		}
	}
	return n, nil
}

func (h *hasher) closePiece() {
	h.chunks = append(h.chunks, hex.EncodeToString(h.piece.Sum(nil)))
	h.piece.Reset()
}

func (h *hasher) sum() sum {
	if h.size%wire.ChunkSize != 0 {
		h.closePiece()
	}
	s := sum{SHA256: hex.EncodeToString(h.whole.Sum(nil)), Size: h.size}
	if len(h.chunks) > 1 {
		s.Chunks = h.chunks
	}
	return s
}
