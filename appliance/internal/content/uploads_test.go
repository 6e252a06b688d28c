package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/tus/tusd/v2/pkg/handler"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// fullStore is a state whose disk is full while that is set.
type fullStore struct {
	Store
	full atomic.Bool
}

func (f *fullStore) Update(ctx context.Context, fn func(tx *state.Tx) error) error {
	if f.full.Load() {
		return state.ErrFull
	}
	return f.Store.Update(ctx, fn)
}

// openFull opens a service over such a state, with a deployment "dep" that runs.
func openFull(t *testing.T) (*Service, *fullStore) {
	t.Helper()
	f := &fullStore{}
	s := open(t, func(o *Options) { f.Store, o.Store = o.Store, f })
	err := f.Store.Update(t.Context(), func(tx *state.Tx) error {
		return tx.Deployments().Put(fleet.Deployment{ID: "dep", DeviceID: "d", Status: fleet.DeploymentRunning})
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

func commitOf(data []byte) wire.UploadCommit {
	sum := sha256.Sum256(data)
	return wire.UploadCommit{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

// bytesOf reads the one file of a version back.
func (s *Service) bytesOf(t *testing.T, item string, version int) []byte {
	t.Helper()
	m, err := s.Manifest(item, version)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.blobs.open(m.Files[0].SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestACommitThatFailsKeepsTheUpload: the disk of the state is full when a device's upload
// is to become a version; what was acknowledged is still there, also after blobs that
// nothing names were removed, and becomes the version when there is room.
func TestACommitThatFailsKeepsTheUpload(t *testing.T) {
	s, f := openFull(t)
	data := random(3, 1<<20)
	u, err := s.Begin(t.Context(), "dep", wire.ContentUpload{Key: "k", Name: "Captured", Purpose: "other", File: "x.bin"})
	if err != nil {
		t.Fatal(err)
	}
	if u, err = s.Append(t.Context(), "dep", u.Upload, 0, bytes.NewReader(data)); err != nil || u.Offset != int64(len(data)) {
		t.Fatal(u, err)
	}
	for _, collected := range []bool{false, true} {
		f.full.Store(true)
		if _, err = s.Commit(t.Context(), someone, "dep", u.Upload, commitOf(data)); !errors.Is(err, state.ErrFull) {
			t.Fatalf("committed on a full disk: %v", err)
		}
		f.full.Store(false)
		if collected {
			if _, err := s.Collect(); err != nil {
				t.Fatal(err)
			}
		}
		if st, err := s.UploadState("dep", u.Upload); err != nil || st.Offset != int64(len(data)) {
			t.Fatalf("after the commit that failed: %+v, %v", st, err)
		}
	}
	v, err := s.Commit(t.Context(), someone, "dep", u.Upload, commitOf(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.bytesOf(t, v.Item, v.Version); !bytes.Equal(got, data) {
		t.Error("the version has other bytes than the upload")
	}
	if left := filesIn(t, s.uploads.dir); len(left) != 0 {
		t.Errorf("left of the upload: %v", left)
	}
	if left := filesIn(t, s.blobs.incoming()); len(left) != 0 {
		t.Errorf("left of the commits: %v", left)
	}
}

// TestAnUploadGoesOnAfterACommitThatFailed: a piece that is sent again after such a
// commit does not change the bytes of the blob that is left of it, which another version
// may have got meanwhile.
func TestAnUploadGoesOnAfterACommitThatFailed(t *testing.T) {
	s, f := openFull(t)
	data := random(4, 1<<20)
	u, err := s.Begin(t.Context(), "dep", wire.ContentUpload{Key: "k", Name: "Captured", Purpose: "other", File: "x.bin"})
	if err == nil {
		_, err = s.Append(t.Context(), "dep", u.Upload, 0, bytes.NewReader(data))
	}
	if err != nil {
		t.Fatal(err)
	}
	f.full.Store(true)
	if _, err = s.Commit(t.Context(), someone, "dep", u.Upload, commitOf(data)); !errors.Is(err, state.ErrFull) {
		t.Fatalf("committed on a full disk: %v", err)
	}
	f.full.Store(false)
	other := random(5, 1<<20)
	copy(other, data[:1<<19])
	u, err = s.Append(t.Context(), "dep", u.Upload, 1<<19, bytes.NewReader(other[1<<19:]))
	if err != nil || u.Offset != int64(len(other)) {
		t.Fatal(u, err)
	}
	blob, err := os.ReadFile(s.blobs.path(commitOf(data).SHA256))
	if err != nil || !bytes.Equal(blob, data) {
		t.Errorf("the blob's bytes were changed (%v)", err)
	}
	v, err := s.Commit(t.Context(), someone, "dep", u.Upload, commitOf(other))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.bytesOf(t, v.Item, v.Version); !bytes.Equal(got, other) {
		t.Error("the version has other bytes than the upload")
	}
}

// TestAnImportThatFailsKeepsTheUploads: the same for what people upload.
func TestAnImportThatFailsKeepsTheUploads(t *testing.T) {
	s, f := openFull(t)
	if _, err := s.Uploads("/u/"); err != nil {
		t.Fatal(err)
	}
	up := func(c string, data []byte) string {
		id := strings.Repeat(c, 32)
		info, err := json.Marshal(handler.FileInfo{ID: id, Size: int64(len(data)), MetaData: handler.MetaData{ownerKey: someone.Name}})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{id: data, id + ".info": info} {
			if err := os.WriteFile(filepath.Join(s.tusDir(), name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return id
	}
	in := Import{Name: "Folder", Purpose: "other", Uploads: []Uploaded{{up("a", random(1, 1<<20)), "one"}, {up("b", random(2, 1<<20)), "two"}}}
	f.full.Store(true)
	if _, err := s.add(t, in); !errors.Is(err, state.ErrFull) {
		t.Fatalf("imported on a full disk: %v", err)
	}
	f.full.Store(false)
	if _, err := s.add(t, in); err != nil {
		t.Errorf("finished uploads were lost by an import that failed: %v", err)
	}
	if left := filesIn(t, s.tusDir()); len(left) != 0 {
		t.Errorf("left of the uploads: %v", left)
	}
}

// TestAnUploadWithoutItsData: a record alone, as a power loss of before can have left it,
// is an upload of which nothing is kept.
func TestAnUploadWithoutItsData(t *testing.T) {
	s, _ := openFull(t)
	data := random(6, 1<<16)
	u, err := s.Begin(t.Context(), "dep", wire.ContentUpload{Key: "k", Name: "Captured", Purpose: "other", File: "x.bin"})
	if err == nil {
		err = os.Remove(s.uploads.data(u.Upload))
	}
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.UploadState("dep", u.Upload); err != nil || st.Offset != 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	if _, err := s.Append(t.Context(), "dep", u.Upload, 0, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), someone, "dep", u.Upload, commitOf(data)); err != nil {
		t.Fatal(err)
	}
}

// TestMadeUpUploadsLeaveNothing: who asks for uploads that do not exist costs no memory.
func TestMadeUpUploadsLeaveNothing(t *testing.T) {
	s, _ := openFull(t)
	for range 100 {
		if _, err := s.UploadState("dep", uuid.NewString()); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	if n := len(s.uploads.busy); n != 0 {
		t.Errorf("%d locks are kept", n)
	}
}

// TestWhatWasNotWrittenToItsEndGoes: also in a folder whose name would be a pattern.
func TestWhatWasNotWrittenToItsEndGoes(t *testing.T) {
	d := deviceUploads{dir: filepath.Join(t.TempDir(), "pxe [new]")}
	if err := errors.Join(d.clean(), os.MkdirAll(d.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".new-123", "kept.json"} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.clean(); err != nil {
		t.Fatal(err)
	}
	if left := filesIn(t, d.dir); len(left) != 1 || filepath.Base(left[0]) != "kept.json" {
		t.Errorf("left: %v", left)
	}
}
