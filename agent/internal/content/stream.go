package content

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"slipway/tasksequence"
)

// stream is the body of an answer that ends the request when it stands still.
type stream struct {
	body   io.ReadCloser
	stop   context.CancelFunc
	dog    *time.Timer
	stall  time.Duration
	status int
}

// get asks for a path. The stream must be closed.
func (s *Source) get(ctx context.Context, path string, headers ...string) (*stream, error) {
	ctx, stop := context.WithCancel(ctx)
	out := &stream{stop: stop, stall: s.stall}
	if out.stall == 0 {
		out.stall = stallAfter
	}
	out.dog = time.AfterFunc(out.stall, stop)
	resp, err := s.API.Stream(ctx, http.MethodGet, path, nil, 0, headers...)
	if err != nil {
		out.dog.Stop()
		stop()
		return nil, err
	}
	out.body, out.status = resp.Body, resp.StatusCode
	return out, nil
}

// Read is like the body's, but an end of the request by us is a broken connection.
func (s *stream) Read(p []byte) (int, error) {
	s.dog.Reset(s.stall)
	n, err := s.body.Read(p)
	if errors.Is(err, context.Canceled) {
		err = errStalled
	}
	return n, err
}

var errStalled = errors.New("the transfer stood still")

func (s *stream) Close() error {
	s.dog.Stop()
	defer s.stop()
	return s.body.Close()
}

// fileOf finds a file in a version.
func (s *Source) fileOf(ctx context.Context, version tasksequence.Reference, path string) (f file, err error) {
	m, err := s.Manifest(ctx, version)
	if err != nil {
		return f, err
	}
	for _, x := range m.Files {
		if x.Path == path {
			return file{ContentFile: x, version: version}, nil
		}
	}
	return f, notInVersion(version, path)
}
