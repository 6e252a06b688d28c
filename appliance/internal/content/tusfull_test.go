package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/lab/mounttest"
)

// ballast takes the space there is, but for spare bytes.
func ballast(t *testing.T, dir string, spare int64) (remove func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Error(err)
	}
	defer f.Close()
	for at := int64(0); ; { // others may write beside it
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			t.Error(err)
		}
		more := min(int64(st.Bavail)*st.Frsize-spare, 1<<20)
		if more <= 0 {
			break
		}
		if err := unix.Fallocate(int(f.Fd()), 0, at, more); err == nil {
			at += more
		} else if !errors.Is(err, unix.ENOSPC) {
			t.Error(err)
			break
		}
	}
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// tusClient speaks the protocol with a server of its own.
type tusClient struct {
	t      *testing.T
	s      *Service
	server *httptest.Server
}

func newTusClient(t *testing.T, s *Service) tusClient {
	t.Helper()
	h, err := s.Uploads("/u/")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(WithOwner(r.Context(), someone.Name)))
	}))
	t.Cleanup(server.Close)
	return tusClient{t, s, server}
}

func (c tusClient) send(method, path string, body io.Reader, headers ...string) (int, http.Header, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func (c tusClient) begin(size int) (path string) {
	c.t.Helper()
	code, head, text := c.send("POST", "/u/", nil, "Upload-Length", strconv.Itoa(size))
	if code != http.StatusCreated {
		c.t.Fatalf("begin: %d %s", code, text)
	}
	return strings.TrimPrefix(head.Get("Location"), c.server.URL)
}

func (c tusClient) patch(path string, at int, body io.Reader) (int, string) {
	c.t.Helper()
	code, _, text := c.send("PATCH", path, body, "Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
	return code, text
}

// kept is the offset that the appliance tells, after a look that the bytes before it
// are those that were sent.
func (c tusClient) kept(path string, data []byte) int {
	c.t.Helper()
	code, head, _ := c.send("HEAD", path, nil)
	n, err := strconv.Atoi(head.Get("Upload-Offset"))
	if err != nil || code != http.StatusOK {
		c.t.Fatalf("where it stands: %d, %v", code, err)
	}
	on, err := os.ReadFile(filepath.Join(c.s.tusDir(), filepath.Base(path)))
	if err != nil || !bytes.Equal(on, data[:n]) {
		c.t.Fatalf("%d bytes count, %d are kept, %v: they are not what was sent", n, len(on), err)
	}
	return n
}

func (c tusClient) becomes(path string, data []byte) {
	c.t.Helper()
	v := c.s.must(c.t, Import{Name: "A" + filepath.Base(path), Purpose: "other", Uploads: []Uploaded{{ID: filepath.Base(path), Path: "f"}}})
	m, err := c.s.Manifest(v.Item, 1)
	if err != nil || m.Files[0].SHA256 != sumOf(data) {
		c.t.Errorf("other bytes were kept: %v, %v", m.Files, err)
	}
}

func wantFull(t *testing.T, what string, code int, text string) {
	t.Helper()
	if code != http.StatusInsufficientStorage || !strings.Contains(text, "The appliance's disk is full") {
		t.Errorf("%s: %d %q", what, code, text)
	}
}

// TestADiskThatRunsFullInAPiece: the answer is 507 and says what to do, what counts as
// kept are the bytes that were sent, and the upload goes on when there is room.
func TestADiskThatRunsFullInAPiece(t *testing.T) {
	dir := mounttest.Small(t, "64m,nr_inodes=200")
	s := open(t, func(o *Options) { o.Dir, o.Reserve = filepath.Join(dir, "content"), 1 })
	c := newTusClient(t, s)
	data := random(21, 24<<20)
	first := 3 << 20

	t.Run("seen before it is written", func(t *testing.T) {
		path := c.begin(len(data))
		if code, text := c.patch(path, 0, bytes.NewReader(data[:first])); code != http.StatusNoContent {
			t.Fatalf("%d %s", code, text)
		}
		remove := ballast(t, dir, 10<<20)
		code, text := c.patch(path, first, bytes.NewReader(data[first:]))
		wantFull(t, "the piece", code, text)
		n := c.kept(path, data)
		if n < first || n == len(data) {
			t.Errorf("%d bytes are kept", n)
		}
		code, text = c.patch(path, n, bytes.NewReader(data[n:]))
		wantFull(t, "the piece again", code, text)
		remove()
		n = c.kept(path, data)
		if code, text := c.patch(path, n, bytes.NewReader(data[n:])); code != http.StatusNoContent {
			t.Fatalf("with room again: %d %s", code, text)
		}
		c.becomes(path, data)
	})
	t.Run("seen by the write", func(t *testing.T) { // others take the room while the piece is under way
		path := c.begin(len(data))
		in, out := io.Pipe()
		sent := make(chan struct{})
		var remove func()
		go func() {
			defer close(sent)
			_, _ = out.Write(data[:1<<20])
			for { // until the appliance has begun to write
				if info, err := os.Stat(filepath.Join(s.tusDir(), filepath.Base(path))); err != nil || info.Size() > 512<<10 || t.Context().Err() != nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			remove = ballast(t, dir, 0)
			_, err := out.Write(data[1<<20:])
			_ = out.CloseWithError(err)
		}()
		code, text := c.patch(path, 0, in)
		_ = in.Close()
		<-sent
		wantFull(t, "the piece", code, text)
		if n := c.kept(path, data); n > 2<<20 {
			t.Errorf("%d bytes are kept", n)
		}
		remove()
		n := c.kept(path, data)
		if code, text := c.patch(path, n, bytes.NewReader(data[n:])); code != http.StatusNoContent {
			t.Fatalf("with room again: %d %s", code, text)
		}
		c.becomes(path, data)
	})
	t.Run("no place for another file", func(t *testing.T) {
		before := filesIn(t, s.tusDir())
		var names []string
		for { // tmpfs counts files too
			name := filepath.Join(dir, "n"+strconv.Itoa(len(names)))
			f, err := os.Create(name)
			if err != nil {
				break
			}
			_ = f.Close()
			names = append(names, name)
		}
		for i := range 3 { // none is left, then one, then two: the data and its record
			code, head, text := c.send("POST", "/u/", nil, "Upload-Length", "5")
			if i < 2 {
				wantFull(t, "a new upload", code, text)
				if after := filesIn(t, s.tusDir()); len(after) != len(before) {
					t.Errorf("left behind: %v", after)
				}
			} else if code != http.StatusCreated {
				t.Errorf("with room again: %d %s %v", code, text, head)
			}
			if err := os.Remove(names[i]); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range names[3:] {
			if err := os.Remove(n); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestADiskThatTakesBytesAndCannotKeepThem: its file system believes in room that the
// storage below does not have. Such bytes do not count.
func TestADiskThatTakesBytesAndCannotKeepThem(t *testing.T) {
	small := mounttest.Small(t, "48m")
	image := filepath.Join(small, "disk")
	tool := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if f, err := os.Create(image); err != nil || f.Truncate(256<<20) != nil || f.Close() != nil {
		t.Fatal(err)
	}
	tool("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard", image)
	device := tool("losetup", "--find", "--show", image)
	t.Cleanup(func() { tool("losetup", "--detach", device) })
	dir, _ := mounttest.Mount(t, "mount", "-t", "ext4", "-o", "errors=continue", device)
	s := open(t, func(o *Options) { o.Dir, o.Reserve = filepath.Join(dir, "content"), 1 })
	c := newTusClient(t, s)
	data := random(22, 12<<20)
	path := c.begin(len(data))
	first := 2 << 20
	if code, text := c.patch(path, 0, bytes.NewReader(data[:first])); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, text)
	}
	remove := ballast(t, small, 1<<20)
	code, text := c.patch(path, first, bytes.NewReader(data[first:]))
	if code < 500 {
		t.Errorf("bytes that are lost: %d %s", code, text)
	}
	t.Log(code, text)
	if n := c.kept(path, data); n != first {
		t.Errorf("%d bytes count, %d were kept", n, first)
	}
	remove()
	if code, text := c.patch(path, first, bytes.NewReader(data[first:])); code != http.StatusNoContent {
		t.Fatalf("with room again: %d %s", code, text)
	}
	c.becomes(path, data)
}

// TestWhatIsLeftOfAnUploadIsSwept, also when its record or its data is missing.
func TestWhatIsLeftOfAnUploadIsSwept(t *testing.T) {
	now := time.Now()
	s := open(t, func(o *Options) { o.Now = func() time.Time { return now } })
	c := newTusClient(t, s)
	whole, record, bytesOnly := c.begin(4), c.begin(4), c.begin(4)
	for _, path := range []string{filepath.Base(record), filepath.Base(bytesOnly) + ".info"} {
		if err := os.Remove(filepath.Join(s.tusDir(), path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sweepTus(); err != nil || len(filesIn(t, s.tusDir())) != 4 {
		t.Errorf("swept too early: %v, %v", filesIn(t, s.tusDir()), err)
	}
	now = now.Add(uploadLife + time.Hour)
	if err := s.sweepTus(); err != nil || len(filesIn(t, s.tusDir())) != 0 {
		t.Errorf("left behind: %v, %v", filesIn(t, s.tusDir()), err)
	}
	if code, _, _ := c.send("HEAD", whole, nil); code != http.StatusNotFound {
		t.Errorf("what was swept: %d", code)
	}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
