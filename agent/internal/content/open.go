package content

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// file is a file of a version.
type file struct {
	wire.ContentFile
	version tasksequence.Reference
}

func notInVersion(version tasksequence.Reference, path string) error {
	return fmt.Errorf("content %s holds no file %q", version, path)
}

// want is the hash of a piece.
func (f file) want(chunk int64) string {
	if len(f.Chunks) == 0 {
		return f.SHA256
	}
	return f.Chunks[chunk]
}

// pieces in memory while one is written and others arrive: 12 MiB.
const buffers = 3

// Open implements steps.Content. Pieces are fetched and verified while the consumer
// works on the ones before.
func (s *Source) Open(ctx context.Context, version tasksequence.Reference, path string) (io.ReadCloser, error) {
	f, err := s.fileOf(ctx, version, path)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &reader{stop: stop, pieces: make(chan piece, buffers+1), free: make(chan []byte, buffers)}
	for range buffers {
		r.free <- nil
	}
	fetch := fetcher{s: s, f: f, r: r, patience: s.patience()}
	go fetch.run(ctx) // ends with the file, an error or Close
	return r, nil
}

// piece is verified, or the error that ends the file.
type piece struct {
	data []byte
	err  error
}

// reader hands out verified pieces.
type reader struct {
	stop    context.CancelFunc
	pieces  chan piece
	free    chan []byte
	current []byte // of which a part was read
	rest    []byte
	err     error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.current != nil {
			r.free <- r.current[:0]
			r.current = nil
		}
		next, ok := <-r.pieces
		if !ok {
			r.err = io.EOF
			return 0, io.EOF
		}
		r.current, r.rest, r.err = next.data, next.data, next.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends the transfer and waits for it.
func (r *reader) Close() error {
	r.stop()
	for range r.pieces { //nolint:revive // until the fetcher has closed it
	}
	r.rest, r.err = nil, io.ErrClosedPipe
	return nil
}

// fetcher fetches the pieces of a file in their order.
type fetcher struct {
	s        *Source
	f        file
	r        *reader
	patience *patience
	body     *stream // nil: not connected
}

func (x *fetcher) run(ctx context.Context) {
	defer close(x.r.pieces)
	defer x.hangUp()
	for offset := int64(0); offset < x.f.Size; offset += wire.ChunkSize {
		var buf []byte
		select {
		case buf = <-x.r.free:
		case <-ctx.Done():
			x.r.pieces <- piece{err: context.Cause(ctx)}
			return
		}
		size := int(min(wire.ChunkSize, x.f.Size-offset))
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		err := x.piece(ctx, buf[:size], offset)
		if err != nil {
			x.r.pieces <- piece{err: fmt.Errorf("content %s, file %q: %w", x.f.version, x.f.Path, explain(err))}
			return
		}
		x.r.pieces <- piece{data: buf[:size]} // has room: there are no more buffers than places
	}
}

func (x *fetcher) hangUp() {
	if x.body != nil {
		_ = x.body.Close()
		x.body = nil
	}
}

// piece fetches and verifies one piece, a second time when it is not right.
func (x *fetcher) piece(ctx context.Context, buf []byte, offset int64) error {
	for range 2 {
		if err := x.fill(ctx, buf, offset); err != nil {
			return err
		}
		sum := sha256.Sum256(buf)
		if hex.EncodeToString(sum[:]) == x.f.want(offset/wire.ChunkSize) {
			return nil
		}
		x.hangUp()
	}
	return fmt.Errorf("%w (at byte %d)", ErrDamaged, offset)
}

// fill reads until buf is full, over as many connections as that takes.
func (x *fetcher) fill(ctx context.Context, buf []byte, offset int64) error {
	for got := 0; got < len(buf); {
		err := x.connect(ctx, offset+int64(got))
		if err == nil {
			var n int
			n, err = x.body.Read(buf[got:])
			if got += n; n > 0 {
				x.patience.moved()
			}
		}
		if err == nil || got == len(buf) {
			continue
		}
		x.hangUp()
		if err := x.patience.wait(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// connect asks for the file from an offset on, unless it is coming already.
func (x *fetcher) connect(ctx context.Context, offset int64) error {
	if x.body != nil {
		return nil
	}
	body, err := x.s.get(ctx, client.ContentPath(x.f.version.ID, x.f.version.Version, x.f.Path),
		"Range", fmt.Sprintf("bytes=%d-", offset), "If-Match", `"`+x.f.SHA256+`"`)
	if err != nil {
		return err
	}
	if offset > 0 && body.status != http.StatusPartialContent {
		_ = body.Close()
		return finalError{fmt.Errorf("the appliance answered the whole file (%d) to a request for a part", body.status)}
	}
	x.body = body
	return nil
}
