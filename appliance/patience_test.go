package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slowly gives a piece at a time.
type slowly struct {
	pieces int
	size   int
	every  time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.pieces == 0 {
		return 0, io.EOF
	}
	s.pieces--
	time.Sleep(s.every)
	return copy(p, make([]byte, s.size)), nil
}

// TestLongRequestsAreServed: an answer, and a body that keeps coming, last longer than
// the timeout for reading; a body that stops does not.
func TestLongRequestsAreServed(t *testing.T) {
	const timeout = 400 * time.Millisecond
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
			return
		}
		select {
		case <-time.After(3 * timeout):
		case <-r.Context().Done():
			http.Error(w, "the context ended", http.StatusInternalServerError)
		}
	})
	for _, protocol := range []string{"http1", "http2"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		scheme, transport := "http://", &http.Transport{DisableKeepAlives: true}
		if protocol == "http2" {
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*deviceCertificate(t)}, NextProtos: []string{"h2"}})
			scheme, transport = "https://", &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		}
		s := newHTTPServer(l, nil, slog.New(slog.DiscardHandler))
		s.server.Handler, s.server.ReadTimeout = patient(handler, timeout), timeout
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- s.Run(ctx) }()
		for _, c := range []struct {
			name   string
			method string
			body   io.Reader
			want   int
		}{
			{"no body", "GET", nil, http.StatusOK},
			{"a short body", "POST", strings.NewReader("{}"), http.StatusOK},
			{"a body that keeps coming", "POST", &slowly{pieces: 12, size: minRate, every: timeout / 6}, http.StatusOK},
			{"a body that trickles", "POST", &slowly{pieces: 30, size: 1, every: timeout / 6}, http.StatusRequestTimeout},
		} {
			req, err := http.NewRequestWithContext(ctx, c.method, scheme+l.Addr().String(), c.body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				if c.want == http.StatusOK {
					t.Errorf("%s, %s: %v", protocol, c.name, err)
				}
				continue // the connection was closed while the body was sent
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("%s, %s: %d %s", protocol, c.name, resp.StatusCode, body)
			}
			if protocol == "http2" && resp.ProtoMajor != 2 {
				t.Errorf("it spoke %s", resp.Proto)
			}
		}
		transport.CloseIdleConnections()
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}
