package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// busy runs a test of short limits, and with limits twice as long when it fails: a
// machine that is busy with other things may stand for longer than they are. What is
// wrong fails with all of them.
func busy(t *testing.T, limit time.Duration, test func(limit time.Duration) error) {
	t.Helper()
	for try := 1; ; try++ {
		err := test(limit)
		if err == nil {
			return
		}
		if try == 4 {
			t.Errorf("with a limit of %v: %v", limit, err)
			return
		}
		t.Logf("with a limit of %v: %v", limit, err)
		limit *= 2
	}
}

// TestLongRequestsAreServed: an answer, and a body that keeps coming, last longer than
// the timeout for reading; a body that stops does not.
func TestLongRequestsAreServed(t *testing.T) {
	for _, protocol := range []string{"http1", "http2"} {
		busy(t, 400*time.Millisecond, func(timeout time.Duration) error { return longRequests(t, protocol, timeout) })
	}
}

// longRequests sends them over a server of its own, all over one connection where the
// protocol has them so.
func longRequests(t *testing.T, protocol string, timeout time.Duration) (failed error) {
	t.Helper()
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
				failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", protocol, c.name, err))
			}
			continue // the connection was closed while the body was sent
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want {
			failed = errors.Join(failed, fmt.Errorf("%s, %s: %d %s", protocol, c.name, resp.StatusCode, body))
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
	return failed
}

// serveOnce serves a handler on loopback with small buffers of the kernel, so that a
// reader is seen to be slow at once.
func serveOnce(t *testing.T, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newHTTPServer(l, handler, slog.New(slog.DiscardHandler))
	s.server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
		return ctx
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }() // ends with stop
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// ask sends a request and returns the connection, of which nothing has been read.
func ask(t *testing.T, address, path string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	conn := c.(*net.TCPConn)
	_ = conn.SetReadBuffer(64 << 10)
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestAnswersThatNobodyTakesEnd: a caller who asks for a file and reads nothing does not
// hold it for ever; one who reads slowly has all of it.
func TestAnswersThatNobodyTakesEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "initrd")
	content := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"/file", "/bytes"} {
		busy(t, 500*time.Millisecond, func(timeout time.Duration) error { return slowAnswers(t, what, path, content, timeout) })
	}
}

// slowAnswers asks twice: once it reads nothing, once it reads slowly.
func slowAnswers(t *testing.T, what, path string, content []byte, timeout time.Duration) error {
	t.Helper()
	ended := make(chan time.Duration, 1)
	address := serveOnce(t, patientAnswers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		defer func() { ended <- time.Since(started) }()
		switch r.URL.Path {
		case "/file":
			f, err := os.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			http.ServeContent(w, r, "", time.Time{}, f)
		case "/bytes":
			_, _ = w.Write(content)
		}
	}), timeout))
	ask(t, address, what)
	select {
	case <-ended:
	case <-time.After(10*timeout + 30*time.Second):
		t.Fatalf("%s: the answer goes on although nobody takes it", what)
	}
	conn := ask(t, address, what)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	hash, piece := sha256.New(), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(resp.Body, piece)
		hash.Write(piece[:n])
		if err != nil {
			break
		}
		time.Sleep(timeout / 40) // a slow line
	}
	took := <-ended
	if want := sha256.Sum256(content); [32]byte(hash.Sum(nil)) != want {
		return fmt.Errorf("%s: a slow reader did not get the whole answer", what)
	}
	if took < 2*timeout {
		t.Fatalf("%s: the slow reader took only %v: the test shows nothing", what, took)
	}
	return nil
}

// TestFilesOfContentAreAnswersWithADeadline: streams and events are not.
func TestFilesOfContentAreAnswersWithADeadline(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/content/tool/1/disk.img": true, "/api/v1/content/tool/1/a/b": true,
		"/api/v1/content/tool/1": false, "/api/v1/deployments/1/events": false, "/api/v1/admin/content/tool/versions": false,
	} {
		if got := contentFile.MatchString(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
