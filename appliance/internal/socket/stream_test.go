package socket

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100000))
		case "/part":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100000))
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"status":403,"detail":"Not you."}`))
		}
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	defer func() { server.Close(); <-ended }()
	for target, want := range map[string]string{"/whole": "", "/part": "not whole", "/other": "Not you."} {
		var b bytes.Buffer
		err := NewClient(path).Stream(context.Background(), "GET", target, &b)
		if want == "" && (err != nil || b.Len() != 100000) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %d bytes, %v", target, b.Len(), err)
		}
	}
}
