package socket

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheOwnerMayOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAnOldSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close() // as after SIGKILL: the file stays
	if err := NewClient(path).Do(context.Background(), "GET", "/", nil, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a dead socket gives %v", err)
	}
	l, err = Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestProblemsBecomeErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			w.Write([]byte(`{"a":1}`))
		case "/plain":
			http.Error(w, "no", http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusUnprocessableEntity)
			w.Write([]byte(`{"title":"T","status":422,"detail":"D","errors":[{"field":"f","detail":"x"}]}`))
		}
	})}
	go srv.Serve(l)
	defer srv.Close()
	c := NewClient(path)
	var out struct{ A int }
	if err := c.Do(context.Background(), "GET", "/ok", nil, &out); err != nil || out.A != 1 {
		t.Errorf("%v %v", out, err)
	}
	var p *ProblemError
	if err := c.Do(context.Background(), "POST", "/bad", out, nil); !errors.As(err, &p) || err.Error() != "D\n  f: x" {
		t.Errorf("got %q", err)
	}
	if err := c.Do(context.Background(), "GET", "/plain", nil, nil); err == nil || errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
}

func TestNoSocketSaysHowToStart(t *testing.T) {
	err := NewClient(filepath.Join(t.TempDir(), "none")).Do(context.Background(), "GET", "/", nil, nil)
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}
