package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// listenTCP opens a listener; its errors say which key to change.
func listenTCP(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: port %s is in use by another program: stop it, or choose another port", key, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: no permission to listen on %s: run as root, or choose a port above 1023", key, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s: this machine does not have the address of %s", key, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// Limits of the HTTP servers. Answers have no limit in all: event streams last,
// and a boot file over a slow line takes its time; what matters is that a caller
// who sends nothing, or takes nothing of a file, does not keep a connection. See
// patient and patientAnswers.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute // of files
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	shutdownGrace     = 3 * time.Second
)

// httpServer is a component: a listener with its handler.
type httpServer struct {
	listener net.Listener
	server   *http.Server
}

func newHTTPServer(l net.Listener, h http.Handler, log *slog.Logger) *httpServer {
	return &httpServer{listener: l, server: &http.Server{
		Handler: patient(h, readTimeout), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: stdlog.New(serverLog{log}, "", 0),
	}}
}

// serverLog takes what net/http has to say, one message for each write.
type serverLog struct{ log *slog.Logger }

// Write tells of a handler that panicked, which is a defect of ours, so that somebody
// sees it. The rest is about callers, and any of them can cause it.
func (s serverLog) Write(message []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(message, []byte("http: panic serving ")) || bytes.HasPrefix(message, []byte("http2: panic serving ")) {
		level = slog.LevelError
	}
	s.log.Log(context.Background(), level, strings.TrimSpace(string(message)))
	return len(message), nil
}

// Run serves until ctx ends; then it lets running requests finish for a moment.
func (s *httpServer) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	go func() { failed <- s.server.Serve(s.listener) }() // ends with Shutdown or Close below
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := s.server.Shutdown(grace); err != nil {
		_ = s.server.Close()
	}
	<-failed
	return nil
}
