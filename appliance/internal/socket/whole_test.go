package socket

import (
	"bytes"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// An answer that does not say at its end that it is whole is an error, as is one that
// broke off.
func TestOnlyAWholeAnswerCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"status":422,"detail":"too weak"}`))
			return
		case "/whole":
			w.Header().Set("Trailer", TrailerComplete)
		case "/reason":
			w.Header().Set("Trailer", TrailerComplete+", "+TrailerReason)
		}
		_, _ = w.Write([]byte("part one, "))
		if r.URL.Path == "/broken" {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte("part two"))
		if r.URL.Path == "/whole" {
			w.Header().Set(TrailerComplete, "yes")
		}
		if r.URL.Path == "/reason" {
			w.Header().Set(TrailerReason, Reason(errors.New("\"Büro\" is damaged\r\nX: y")))
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	for path0, want := range map[string]string{"/whole": "", "/short": "broke off", "/reason": "\"Büro\" is damaged\r\nX: y", "/broken": "answer", "/refused": "too weak"} {
		var out bytes.Buffer
		err := NewClient(path).Whole(t.Context(), "POST", path0, nil, &out)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path0, err)
		}
		if want == "" && out.String() != "part one, part two" {
			t.Errorf("%s: got %q", path0, out.String())
		}
	}
	if err := NewClient(path+"x").Whole(t.Context(), "POST", "/", nil, &bytes.Buffer{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: %v", err)
	}
}
