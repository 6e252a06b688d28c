package toolpack

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

func packOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, 4
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("tool"))
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type appliance struct {
	body  []byte
	err   error
	calls int
}

func (a *appliance) Stream(_ context.Context, _, path string, _ io.Reader, _ int64, _ ...string) (*http.Response, error) {
	a.calls++
	if path != "/api/v1/tools/image1" {
		return nil, errors.New("asked for " + path)
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{Body: io.NopCloser(bytes.NewReader(a.body))}, nil
}

func pinned(t *testing.T, body []byte) (From, *appliance) {
	sum := sha256.Sum256(body)
	a := &appliance{body: body}
	return From{Pack: &Pack{Root: t.TempDir(), Image: "image1", Pin: Pin{Format: 1, Size: int64(len(body)), Unpacked: 8, SHA256: hex.EncodeToString(sum[:])}}, API: a}, a
}

func none(int, string) {}

func TestToolsAreFetchedOnce(t *testing.T) {
	f, a := pinned(t, packOf(t, tar.Header{Name: "usr/sbin/mke2fs", Mode: 0o755},
		tar.Header{Name: "usr/sbin/mkfs.ext4", Typeflag: tar.TypeSymlink, Linkname: "mke2fs"}, tar.Header{Name: "lib64/ld.so", Mode: 0o755}))
	for range 2 {
		if err := f.Need(t.Context(), none, "mkfs.ext4", "mke2fs"); err != nil {
			t.Fatal(err)
		}
	}
	if a.calls != 1 {
		t.Errorf("fetched %d times", a.calls)
	}
	if err := f.Need(t.Context(), none, "mkfs.zfs"); err == nil || !strings.Contains(err.Error(), "holds no mkfs.zfs") {
		t.Errorf("got %v", err)
	}
}

func TestOtherPacksAreRefused(t *testing.T) {
	f, a := pinned(t, packOf(t, tar.Header{Name: "usr/sbin/mke2fs", Mode: 0o755}))
	for _, body := range [][]byte{packOf(t, tar.Header{Name: "usr/sbin/mke2fs", Mode: 0o777}), a.body[:len(a.body)-1], append(bytes.Clone(a.body), 0), nil} {
		a.body = body
		if err := f.Need(t.Context(), none, "mke2fs"); !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v", err)
		}
	}
	if left, _ := os.ReadDir(f.Pack.Root); len(left) > 0 {
		t.Errorf("unpacked all the same: %v", left)
	}
}

// What was unpacked in part, because memory ran out or the agent was killed, is not used.
func TestAPackThatWasUnpackedInPart(t *testing.T) {
	f, a := pinned(t, packOf(t, tar.Header{Name: "usr/sbin/mke2fs", Mode: 0o755}, tar.Header{Name: "lib64/ld.so", Mode: 0o755}))
	f.Pack.Pin.Unpacked = 4
	if err := f.Need(t.Context(), none, "mke2fs"); err == nil {
		t.Fatal("there was no room")
	}
	f.Pack.Pin.Unpacked = 8
	for range 2 {
		if err := f.Need(t.Context(), none, "mke2fs"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(f.Pack.Root, "lib64/ld.so")); err != nil || a.calls != 2 {
		t.Errorf("after %d calls: %v", a.calls, err)
	}
}

// An appliance that does not keep the image any more says so: the step fails with its
// words, at once.
func TestAPackThatIsGone(t *testing.T) {
	f, a := pinned(t, packOf(t, tar.Header{Name: "usr/sbin/mke2fs", Mode: 0o755}))
	a.err = &client.Error{Status: http.StatusNotFound, Problem: wire.Problem{Detail: "The boot image is not kept any more."}}
	err := f.Need(t.Context(), none, "mke2fs")
	if err == nil || !strings.Contains(err.Error(), "not kept any more") || a.calls != 1 {
		t.Errorf("%v after %d calls", err, a.calls)
	}
}

func TestPackStaysBelowItsRoot(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for name, body := range map[string][]byte{
		"path":   packOf(t, tar.Header{Name: "../outside", Mode: 0o755}),
		"link":   packOf(t, tar.Header{Name: "usr", Typeflag: tar.TypeSymlink, Linkname: filepath.Dir(outside)}, tar.Header{Name: "usr/outside", Mode: 0o755}),
		"device": packOf(t, tar.Header{Name: "x", Typeflag: tar.TypeChar}),
		"bomb":   packOf(t, tar.Header{Name: "a"}, tar.Header{Name: "b"}, tar.Header{Name: "c"}),
	} {
		f, _ := pinned(t, body)
		if err := f.Need(t.Context(), none, "x"); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := os.Stat(outside); err == nil {
			t.Errorf("%s: written outside", name)
		}
	}
}

func TestImageWithoutTools(t *testing.T) {
	if _, err := LoadPin(fstest.MapFS{}); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := LoadPin(fstest.MapFS{"etc/slipway/tools.json": {Data: []byte(`{"format":2}`)}}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v", err)
	}
	f := From{Pack: &Pack{Root: t.TempDir(), Err: ErrNone}, API: &appliance{}}
	if err := f.Need(t.Context(), none, "mkfs.ext4"); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "mkfs.ext4 is needed") {
		t.Errorf("got %v", err)
	}
}
