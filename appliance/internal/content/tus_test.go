package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestUploadsThatAreDisturbed: a connection that breaks in a piece keeps what came, and
// a second writer of the same upload spoils nothing: what is complete has the bytes that
// were sent.
func TestUploadsThatAreDisturbed(t *testing.T) {
	s := open(t)
	h, err := s.Uploads("/u/")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(WithOwner(r.Context(), someone.Name)))
	}))
	defer server.Close()
	data := random(11, 6<<20)
	send := func(method, path string, body io.Reader, headers ...string) (int, http.Header, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, nil, err
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		resp.Header.Set("X-Said", string(said))
		return resp.StatusCode, resp.Header, nil
	}
	code, head, err := send("POST", "/u/", nil, "Upload-Length", strconv.Itoa(len(data)))
	if err != nil || code != http.StatusCreated {
		t.Fatalf("begin: %d, %v", code, err)
	}
	path := head.Get("Location")[len(server.URL):]
	offset := func() int {
		t.Helper()
		code, head, err := send("HEAD", path, nil)
		n, e := strconv.Atoi(head.Get("Upload-Offset"))
		if err != nil || e != nil || code != http.StatusOK {
			t.Fatalf("where it stands: %d, %v, %v", code, err, e)
		}
		return n
	}
	patch := func(at int, body io.Reader) (int, error) {
		code, _, err := send("PATCH", path, body, "Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
		return code, err
	}
	// The connection breaks in the middle of a piece.
	in, out := io.Pipe()
	go func() {
		_, _ = out.Write(data[:2<<20])
		_ = out.CloseWithError(io.ErrUnexpectedEOF)
	}()
	if _, err := patch(0, in); err == nil {
		t.Error("the piece that broke off was answered")
	}
	if n := offset(); n > 2<<20 {
		t.Errorf("%d bytes are kept of %d that were sent", n, 2<<20)
	}
	// One writer stalls in its piece; another begins at the same place.
	at := offset()
	in, out = io.Pipe()
	first := make(chan error, 1)
	go func() {
		_, err := patch(at, in)
		first <- err
	}()
	if _, err := out.Write(data[at : at+1<<20]); err != nil {
		t.Fatal(err)
	}
	second, err := patch(at, bytes.NewReader(data[at:at+100]))
	if err != nil || second < 400 && second != http.StatusNoContent {
		t.Errorf("the second writer is answered %d, %v", second, err)
	}
	_ = out.CloseWithError(io.ErrUnexpectedEOF)
	<-first
	// A writer that comes late interrupts who writes (tusd: ERR_UPLOAD_INTERRUPTED, 400), who
	// goes on from where the appliance says.
	interrupted := 0
	for n := offset(); n < len(data); n = offset() {
		code, head, err := send("PATCH", path, bytes.NewReader(data[n:]), "Upload-Offset", strconv.Itoa(n), "Content-Type", "application/offset+octet-stream")
		if strings.HasPrefix(head.Get("X-Said"), "ERR_UPLOAD_INTERRUPTED") && interrupted < 2 {
			interrupted++
			continue
		}
		if err != nil || code != http.StatusNoContent {
			t.Fatalf("going on at %d: %d %s, %v", n, code, head.Get("X-Said"), err)
		}
	}
	if code, _ := patch(3, bytes.NewReader([]byte("x"))); code != http.StatusConflict {
		t.Errorf("a piece for another place: %d", code)
	}
	v := s.must(t, Import{Name: "A", Purpose: "other", Uploads: []Uploaded{{ID: path[len("/u/"):], Path: "f"}}})
	m, err := s.Manifest(v.Item, 1)
	sum := sha256.Sum256(data)
	if err != nil || m.Files[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("other bytes were kept: %s, %v", fmt.Sprint(m.Files), err)
	}
}
