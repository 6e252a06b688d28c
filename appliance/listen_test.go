package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A page that panics cuts the connection; the log says why at its usual level.
func TestAPanicIsInTheLog(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	s := newHTTPServer(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("no such row")
	}), slog.New(slog.NewTextHandler(&out, nil)))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for _, path := range []string{"/abort", "/"} {
		if resp, err := http.Get("http://" + l.Addr().String() + path); err == nil {
			resp.Body.Close()
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Count(out.String(), "level=ERROR") != 1 || !strings.Contains(out.String(), "no such row") {
		t.Errorf("the log: %s", out.String())
	}
}
