package content

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/client"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// server is the content of a stand-in appliance that can misbehave.
type server struct {
	t     *testing.T
	files map[string][]byte
	man   wire.ContentManifest

	mu    sync.Mutex
	calls []string
	spoil func(call int, path string, w http.ResponseWriter, body []byte) (out []byte, cut bool)

	rename map[string]string // in tar streams

	upload    []byte
	committed int
	refusals  int // PATCH calls that are taken but not answered
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

var version = tasksequence.Reference{ID: "i", Version: 2}

func newServer(t *testing.T, files map[string][]byte, order ...string) *server {
	s := &server{t: t, files: files, man: wire.ContentManifest{Item: "i", Version: 2, Name: "Item", Purpose: "other"}}
	for _, path := range order {
		data := files[path]
		f := wire.ContentFile{Path: path, Mode: 0o640, Size: int64(len(data)), SHA256: hashOf(data)}
		for at := 0; len(data) > wire.ChunkSize && at < len(data); at += wire.ChunkSize {
			f.Chunks = append(f.Chunks, hashOf(data[at:min(at+wire.ChunkSize, len(data))]))
		}
		s.man.Files = append(s.man.Files, f)
		s.man.Size += f.Size
	}
	return s
}

// source connects a client to the server.
func (s *server) source() *Source {
	s.t.Helper()
	a, err := appliancetest.Start(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(a.Close)
	a.Content = s
	c := client.New(client.Options{Address: a.Address, Installation: appliancetest.Installation, Roots: a.Pool()})
	s.t.Cleanup(c.Close)
	return &Source{API: c, Deployment: "d", stall: time.Minute,
		backoff: func() *client.Backoff { return &client.Backoff{First: time.Millisecond, Longest: time.Millisecond} }}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Range"))
	call := len(s.calls)
	s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/content/i/2")
	var body []byte
	status := http.StatusOK
	switch {
	case strings.Contains(r.URL.Path, "/deployments/"):
		s.deployment(w, r)
		return
	case r.URL.Query().Get("stream") == "tar":
		from, _ := strconv.Atoi(r.URL.Query().Get("from"))
		body = s.tar(from)
	case path == "":
		_ = json.NewEncoder(w).Encode(s.man)
		return
	default:
		body = s.files[strings.TrimPrefix(path, "/")]
		if r.Header.Get("If-Match") != `"`+hashOf(body)+`"` {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		from, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		body, status = body[from:], http.StatusPartialContent
	}
	cut := false
	size := len(body)
	if s.spoil != nil {
		body, cut = s.spoil(call, path, w, body)
		if body == nil {
			return
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(size))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	if cut {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *server) tar(from int) []byte {
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for _, f := range s.man.Files[from:] {
		name := f.Path
		if other, ok := s.rename[name]; ok {
			name = other
		}
		_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: f.Size, Mode: int64(f.Mode)})
		_, _ = out.Write(s.files[f.Path])
	}
	_ = out.Close()
	return b.Bytes()
}

func (s *server) deployment(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/content"):
		_ = json.NewEncoder(w).Encode(wire.ContentAnswer{Content: []wire.ContentVersion{{Item: "x", Version: 1}}})
	case r.Method == http.MethodPatch:
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		data, err := io.ReadAll(r.Body)
		if err != nil || offset > len(s.upload) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.upload = append(s.upload[:offset], data...)
		if s.refusals > 0 {
			s.refusals--
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode(wire.UploadState{Upload: "u", Offset: int64(len(s.upload))})
	case strings.HasSuffix(r.URL.Path, "/commit"):
		var in wire.UploadCommit
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Size != int64(len(s.upload)) || in.SHA256 != hashOf(s.upload) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.committed++
		_ = json.NewEncoder(w).Encode(wire.ContentVersion{Item: "new", Version: 1})
	case r.Method == http.MethodDelete:
		s.upload = nil
		w.WriteHeader(http.StatusNoContent)
	default:
		_ = json.NewEncoder(w).Encode(wire.UploadState{Upload: "u", Offset: int64(len(s.upload))})
	}
}

func random(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	out := make([]byte, n)
	_, _ = r.Read(out)
	return out
}

func TestAFileComesWholeOverBrokenConnections(t *testing.T) {
	data := random(1, 3*wire.ChunkSize+12345)
	s := newServer(t, map[string][]byte{"a b.img": data}, "a b.img")
	source := s.source()
	var told []bool
	source.Waiting = func(why error) { told = append(told, why != nil) }
	s.spoil = func(call int, _ string, w http.ResponseWriter, body []byte) ([]byte, bool) {
		switch call {
		case 2:
			return body[:wire.ChunkSize+777], true // within the second piece
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			return nil, false
		}
		return body, false
	}
	in, err := source.Open(t.Context(), version, "a b.img")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if last := s.calls[len(s.calls)-1]; !strings.HasSuffix(last, fmt.Sprintf("bytes=%d-", wire.ChunkSize+777)) {
		t.Errorf("did not go on where it was: %q", s.calls)
	}
	if len(told) < 2 || !told[0] || told[len(told)-1] {
		t.Errorf("told %v", told)
	}
}

func TestAWrongPieceIsFetchedAgainAndNeverHandedOut(t *testing.T) {
	data := random(2, 2*wire.ChunkSize)
	for _, c := range []struct {
		wrong int // answers that are wrong
		ok    bool
	}{{1, true}, {2, false}} {
		s := newServer(t, map[string][]byte{"f": data}, "f")
		s.spoil = func(call int, _ string, _ http.ResponseWriter, body []byte) ([]byte, bool) {
			if call > c.wrong+1 {
				return body, false
			}
			bad := bytes.Clone(body)
			bad[len(bad)-1] ^= 1
			return bad, false
		}
		in, err := s.source().Open(t.Context(), version, "f")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		if c.ok && (err != nil || !bytes.Equal(got, data)) {
			t.Errorf("after one wrong answer: %d bytes, %v", len(got), err)
		}
		if !c.ok && (!errors.Is(err, ErrDamaged) || !bytes.Equal(got, data[:wire.ChunkSize])) {
			t.Errorf("after two wrong answers: %d bytes, %v", len(got), err)
		}
	}
}

func TestWhatChangedOrIsRefusedIsAnError(t *testing.T) {
	s := newServer(t, map[string][]byte{"f": []byte("old")}, "f")
	s.files["f"] = []byte("new") // the manifest is another's
	in, err := s.source().Open(t.Context(), version, "f")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.ReadAll(in); client.Status(err) != http.StatusPreconditionFailed {
		t.Errorf("changed content: %v", err)
	}
	if _, err := s.source().Open(t.Context(), version, "g"); err == nil {
		t.Error("a file that is not in the version was opened")
	}
	bad := newServer(t, map[string][]byte{"../f": nil}, "../f")
	if _, err := bad.source().Manifest(t.Context(), version); err == nil {
		t.Error("a manifest with a path that leaves the folder was taken")
	}
}

func TestCloseEndsAWaitingTransfer(t *testing.T) {
	s := newServer(t, map[string][]byte{"f": []byte("x")}, "f")
	s.spoil = func(_ int, _ string, w http.ResponseWriter, _ []byte) ([]byte, bool) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil, false
	}
	source := s.source()
	ctx, stop := context.WithCancel(t.Context())
	in, err := source.Open(ctx, version, "f")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, stop)
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("read %v", err)
	}
	in.Close()
}

func TestAStandingTransferBeginsAnew(t *testing.T) {
	data := random(3, 100)
	s := newServer(t, map[string][]byte{"f": data}, "f")
	released := make(chan struct{})
	defer close(released)
	s.spoil = func(call int, _ string, w http.ResponseWriter, body []byte) ([]byte, bool) {
		if call == 2 {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[:10])
			w.(http.Flusher).Flush()
			<-released
			return nil, false
		}
		return body, false
	}
	source := s.source()
	source.stall = 200 * time.Millisecond
	in, err := source.Open(t.Context(), version, "f")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func folderFiles() (map[string][]byte, []string) {
	return map[string][]byte{"a/b/c.txt": []byte("c"), "a/d.bin": random(4, 300_000), "e": nil, "f": []byte("f")},
		[]string{"a/b/c.txt", "a/d.bin", "e", "f"}
}

func TestAFolderComesWholeOverBrokenConnections(t *testing.T) {
	files, order := folderFiles()
	s := newServer(t, files, order...)
	s.spoil = func(call int, _ string, _ http.ResponseWriter, body []byte) ([]byte, bool) {
		if call == 2 {
			return body[:200_000], true
		}
		return body, false
	}
	dir := t.TempDir()
	var done, total int64
	if err := s.source().Folder(t.Context(), version, dir, func(d, of int64) { done, total = d, of }); err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "e")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode: %v %v", info, err)
	}
	if done != s.man.Size || total != s.man.Size {
		t.Errorf("progress %d of %d", done, total)
	}
	if !strings.Contains(strings.Join(s.calls, "\n"), "from=1") {
		t.Errorf("did not go on with the file that broke off: %q", s.calls)
	}
}

// flip changes a bit of every answer, so many bytes behind a mark.
func flip(mark []byte, behind int) func(int, string, http.ResponseWriter, []byte) ([]byte, bool) {
	return func(_ int, _ string, _ http.ResponseWriter, body []byte) ([]byte, bool) {
		body[bytes.Index(body, mark)+behind] ^= 1
		return body, false
	}
}

func TestAFolderThatCannotBeWholeLeavesNothing(t *testing.T) {
	for what, spoil := range map[string]func(s *server){
		"another file":     func(s *server) { s.rename = map[string]string{"a/d.bin": "a/x.bin"} },
		"path that leaves": func(s *server) { s.rename = map[string]string{"a/d.bin": "../d.bin"} },
		"a broken header":  func(s *server) { s.spoil = flip([]byte("a/d.bin"), 0) },
		"changed content":  func(s *server) { s.spoil = flip([]byte("a/d.bin"), 5000) },
	} {
		files, order := folderFiles()
		s := newServer(t, files, order...)
		spoil(s)
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		err := s.source().Folder(t.Context(), version, dir, nil)
		if err == nil {
			t.Errorf("%s: taken", what)
		}
		left, _ := os.ReadDir(dir)
		beside, _ := os.ReadDir(filepath.Dir(dir))
		if len(left) != 0 || len(beside) != 1 {
			t.Errorf("%s: left %v, %v", what, left, beside)
		}
	}
}

func TestAFolderDoesNotFollowLinks(t *testing.T) {
	files, order := folderFiles()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := newServer(t, files, order...).source().Folder(t.Context(), version, dir, nil); err == nil {
		t.Error("written through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("outside: %v", left)
	}
}

func TestAnUploadSurvivesLostAnswers(t *testing.T) {
	s := newServer(t, nil)
	s.upload, s.refusals = []byte("of a run before"), 2
	source := s.source()
	data := random(5, 2*uploadPiece+99)
	u, err := source.Upload(t.Context(), wire.ContentUpload{Key: "k", Name: "n", Purpose: "other", File: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(u, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	v, err := u.Commit(t.Context())
	if err != nil || v.Item != "new" || !bytes.Equal(s.upload, data) {
		t.Errorf("%v, %v, %d bytes", v, err, len(s.upload))
	}
	u.Abort() // after Commit it does nothing
	if s.committed != 1 || s.upload == nil {
		t.Errorf("committed %d times", s.committed)
	}
	u, err = source.Upload(t.Context(), wire.ContentUpload{Key: "k2"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(random(6, uploadPiece+1)); err != nil {
		t.Fatal(err)
	}
	u.Abort()
	if s.upload != nil {
		t.Error("an aborted upload was not dropped")
	}
	if _, err := u.Commit(t.Context()); err == nil {
		t.Error("committed after the end")
	}
}

func TestFind(t *testing.T) {
	found, err := newServer(t, nil).source().Find(t.Context(), wire.ContentQuery{Items: []string{"x"}})
	if err != nil || len(found) != 1 || found[0].Item != "x" {
		t.Errorf("%v, %v", found, err)
	}
}
