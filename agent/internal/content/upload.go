package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"
	"time"

	"slipway/agent/internal/steps"
	"slipway/agent/wire"
)

// uploadPiece is how many bytes are sent at once; three of them may be in memory.
const uploadPiece = 8 << 20

// Upload implements steps.Content. It sends while the caller makes more.
func (s *Source) Upload(ctx context.Context, in wire.ContentUpload) (steps.Upload, error) {
	var state wire.UploadState
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		state, err = s.API.BeginUpload(ctx, s.Deployment, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin the upload of %q: %w", in.Name, err)
	}
	ctx, stop := context.WithCancel(ctx)
	u := &upload{s: s, id: state.Upload, name: in.Name, ctx: ctx, stop: stop, hash: sha256.New(),
		full: make(chan []byte), free: make(chan []byte, 3), over: make(chan struct{})}
	for range 3 {
		u.free <- nil
	}
	go u.send() // ends with Commit, Abort or an error
	return u, nil
}

// upload is one upload; its methods are called by one goroutine.
type upload struct {
	s    *Source
	id   string
	name string
	ctx  context.Context
	stop context.CancelFunc

	hash hash.Hash
	size int64
	buf  []byte // filling
	have bool   // buf is one of ours
	done bool

	full, free chan []byte
	over       chan struct{} // send has ended
	once       sync.Once
	err        error // of send, once it is over
}

// send sends pieces one after the other until there are no more.
func (u *upload) send() {
	defer close(u.over)
	offset := int64(0)
	for data := range u.full {
		err := u.s.patiently(u.ctx, func(ctx context.Context) error {
			ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
			defer stop()
			_, err := u.s.API.SendUpload(ctx, u.s.Deployment, u.id, offset, bytes.NewReader(data), int64(len(data)))
			return err
		})
		if err != nil {
			u.err = fmt.Errorf("upload of %q, at byte %d: %w", u.name, offset, err)
			return
		}
		offset += int64(len(data))
		u.free <- data[:0]
	}
}

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if err := u.buffer(); err != nil {
			return n - len(p), err
		}
		part := p[:min(len(p), uploadPiece-len(u.buf))]
		u.buf = append(u.buf, part...)
		p = p[len(part):]
		if len(u.buf) == uploadPiece {
			if err := u.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

// buffer makes sure that there is one to fill.
func (u *upload) buffer() error {
	if u.have {
		return nil
	}
	select {
	case u.buf = <-u.free:
		u.have = true
		if u.buf == nil {
			u.buf = make([]byte, 0, uploadPiece)
		}
		return nil
	case <-u.over:
		return u.failure()
	}
}

func (u *upload) flush() error {
	if !u.have || len(u.buf) == 0 {
		return nil
	}
	u.hash.Write(u.buf)
	u.size += int64(len(u.buf))
	select {
	case u.full <- u.buf:
		u.buf, u.have = nil, false
		return nil
	case <-u.over:
		return u.failure()
	}
}

// failure is called when send is over.
func (u *upload) failure() error {
	if u.err != nil {
		return u.err
	}
	return fmt.Errorf("the upload of %q has ended", u.name)
}

func (u *upload) finish() { u.once.Do(func() { close(u.full) }) }

// Commit implements steps.Upload.
func (u *upload) Commit(ctx context.Context) (wire.ContentVersion, error) {
	var v wire.ContentVersion
	if u.done {
		return v, u.failure()
	}
	err := u.flush()
	u.finish()
	<-u.over
	defer u.stop()
	if err == nil {
		err = u.err
	}
	if err != nil {
		return v, err
	}
	u.done = true
	sum := wire.UploadCommit{Size: u.size, SHA256: hex.EncodeToString(u.hash.Sum(nil))}
	err = u.s.patiently(ctx, func(ctx context.Context) error {
		v, err = u.s.API.CommitUpload(ctx, u.s.Deployment, u.id, sum)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("end the upload of %q: %w", u.name, err)
	}
	return v, nil
}

// dropWait is how long the appliance is asked to forget an upload; it does so by
// itself some days later.
const dropWait = 5 * time.Second

// Abort implements steps.Upload.
func (u *upload) Abort() {
	if u.done {
		return
	}
	u.done = true
	u.stop()
	u.finish()
	<-u.over
	ctx, stop := context.WithTimeout(context.WithoutCancel(u.ctx), dropWait)
	defer stop()
	_ = u.s.API.DropUpload(ctx, u.s.Deployment, u.id)
}
