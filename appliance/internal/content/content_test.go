package content

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

var update = flag.Bool("update", false, "write the golden files of the present format")

type silent struct{}

func (silent) Write(context.Context, fleet.AuditEntry) error { return nil }

// open opens a service over a state of its own.
func open(t *testing.T, change ...func(*Options)) *Service {
	t.Helper()
	dir := t.TempDir()
	store, err := state.Open(t.Context(), state.Options{Dir: filepath.Join(dir, "state"), Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Store: store, Dir: filepath.Join(dir, "content"), Audit: silent{}, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

var someone = Actor{Name: "somebody"}

// add imports and waits.
func (s *Service) add(t *testing.T, in Import) (fleet.ContentVersion, error) {
	t.Helper()
	j, err := s.Import(t.Context(), someone, in)
	if err == nil {
		j, err = s.Wait(t.Context(), j.ID)
	}
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	return *j.Version, nil
}

func (s *Service) must(t *testing.T, in Import) fleet.ContentVersion {
	t.Helper()
	v, err := s.add(t, in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func random(seed uint64, n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(out)
	return out
}

// blobsOf lists what stands in the folder, but for folders.
func filesIn(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGoldenManifest(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	m := manifest{Files: []manifestFile{
		{Path: "disk.holes", Mode: 0o644, Size: wire.ChunkSize + 1, SHA256: sum, Chunks: []string{sum, sum}, Form: wire.FormHoles, Original: "disk.qcow2", RawSize: 1 << 30},
		{Path: "z", Mode: 0o755, Size: 0, SHA256: sum}}}
	text, err := encodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "manifest-format-1.json")
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(text, want) {
		t.Errorf("a released format must stay as it is. Was\n%s\nis\n%s(%v)", want, text, err)
	}
	back, err := decodeManifest(want)
	if err != nil || len(back.Files) != 2 || back.Files[0].RawSize != 1<<30 {
		t.Errorf("read %+v, %v", back, err)
	}
	if _, err := decodeManifest([]byte(`{"format":2}`)); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer format: %v", err)
	}
}

func TestTheSameBytesAreStoredOnce(t *testing.T) {
	s := open(t)
	data := random(1, 3<<20)
	a := s.must(t, Import{Name: "A", Purpose: "other", Path: file(t, "x", data)})
	s.must(t, Import{Name: "B", Purpose: "other", Path: file(t, "x", data)})
	again := s.must(t, Import{Name: "a", Path: file(t, "y", data)})
	if again.Item != a.Item || again.Version != 2 {
		t.Errorf("a second version: %+v", again)
	}
	if got := filesIn(t, s.o.Dir); len(got) != 3 { // the bytes, and two manifests: x and y
		t.Errorf("stored %q", got)
	}
	// What one version needs stays when another goes, then all goes.
	for _, c := range []struct {
		name    string
		version int
		left    int
	}{{"B", 0, 3}, {"A", 1, 2}, {"A", 2, 0}} {
		if err := s.Delete(t.Context(), someone, c.name, c.version); err != nil {
			t.Fatal(err)
		}
		if got := filesIn(t, s.o.Dir); len(got) != c.left {
			t.Errorf("after %+v there is %q", c, got)
		}
	}
}

// TestACollectionSparesAnIntake: blobs whose version is not recorded yet, those that
// come while it looks, and those whose version was recorded after it had looked.
func TestACollectionSparesAnIntake(t *testing.T) {
	s := open(t)
	write := func(text string, h *hold) {
		t.Helper()
		if _, err := s.blobs.write(t.Context(), strings.NewReader(text), 10, h, nil); err != nil {
			t.Fatal(err)
		}
	}
	long, short := s.blobs.hold(), s.blobs.hold()
	write("early", long)
	freed, err := s.blobs.collect(func() (map[string]bool, error) {
		write("late", long)
		write("recorded", short)
		short.release()
		return nil, nil
	})
	if got := filesIn(t, s.o.Dir); err != nil || freed != 0 || len(got) != 3 {
		t.Errorf("freed %d, %v, left %q", freed, err, got)
	}
	long.release()
	if freed, err := s.Collect(); err != nil || freed != int64(len("early"+"late"+"recorded")) {
		t.Errorf("afterwards freed %d, %v", freed, err)
	}
}

func TestWhatIsNeededIsNotDeleted(t *testing.T) {
	s := open(t)
	v := s.must(t, Import{Name: "A", Purpose: "other", Path: file(t, "x", []byte("1"))})
	s.must(t, Import{Name: "A", Path: file(t, "x", []byte("2"))})
	put := func(fn func(tx *state.Tx) error) {
		t.Helper()
		if err := s.o.Store.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	sequence := func(reference, status string) func(tx *state.Tx) error {
		return func(tx *state.Tx) error {
			return tx.Sequences().Put(fleet.Sequence{ID: "s", Version: 1, Name: "S", Status: status, Body: []byte(fmt.Sprintf(`{"steps":[{"settings":{"Content":%q}}]}`, reference))})
		}
	}
	refused := func(what string, version int, want bool) {
		t.Helper()
		err := s.o.Store.Update(t.Context(), func(tx *state.Tx) error { // without doing it
			item, err := itemIn(tx, "A")
			if err != nil {
				return err
			}
			if version == 0 {
				err = deleteItem(tx, item)
			} else {
				x, e := tx.ContentVersions().Get(state.ContentVersionKey(item.ID, version))
				err = errors.Join(e, deleteVersion(tx, item, x))
			}
			return errors.Join(err, errUndo)
		})
		if errors.Is(err, ErrInUse) != want {
			t.Errorf("%s, version %d: %v", what, version, err)
		}
	}
	refused("unused", 1, false)
	put(sequence(v.Reference(), "development"))
	refused("a sequence names it", 1, true)
	refused("a sequence names the other", 2, false)
	refused("a sequence names one", 0, true)
	put(sequence(v.Item, "active"))
	refused("another active one is left", 1, false)
	if _, err := s.SetStatus(t.Context(), someone, "A", 2, "deprecated"); err != nil {
		t.Fatal(err)
	}
	refused("the last active one", 1, true)
	put(sequence(v.Item, "deprecated"))
	refused("a deprecated sequence", 1, false)
	definition := func(reference string) func(tx *state.Tx) error {
		return func(tx *state.Tx) error {
			return tx.Definitions().Put(fleet.StepDefinition{ID: "own-step", Version: 3, Name: "Own step", Body: []byte(fmt.Sprintf(`{"options":[{"name":"Tool","type":"content","default":%q}]}`, reference))})
		}
	}
	put(definition(v.Reference()))
	refused("a step definition names it", 1, true)
	refused("a step definition names the other", 2, false)
	refused("a step definition names one", 0, true)
	put(definition(v.Item))
	refused("a step definition names the item, which has one active version", 1, true)
	if err := s.Delete(t.Context(), someone, "A", 0); err == nil || !strings.Contains(err.Error(), `the step definition "Own step" (own-step), version 3`) {
		t.Errorf("it is not said what names it: %v", err)
	}
	put(func(tx *state.Tx) error {
		return tx.Definitions().Put(fleet.StepDefinition{ID: "own-step", Version: 4, Name: "Own step", Body: []byte(`{}`)})
	})
	refused("a newer version of the step definition does not name it", 1, false)
	put(func(tx *state.Tx) error {
		return tx.Sequences().Put(fleet.Sequence{ID: "s", Version: 1, Name: "S", Status: "active", Body: []byte(`{"steps":[{"steps":[{"definition":"own-step","definitionVersion":3}]}]}`)})
	})
	refused("a task sequence asks for the older version of the step definition", 1, true)
	put(sequence(v.Item, "deprecated"))
	put(func(tx *state.Tx) error {
		return errors.Join(tx.Deployments().Put(fleet.Deployment{ID: "d", Status: fleet.DeploymentRunning, Document: "h"}),
			tx.Documents().Put(fleet.Document{Hash: "h", Body: []byte(fmt.Sprintf(`{"content":{%q:{}}}`, v.Reference()))}))
	})
	refused("a deployment has it pinned", 1, true)
	refused("a deployment has it pinned", 0, true)
	if _, err := s.Find(t.Context(), "d", wire.ContentQuery{Items: []string{v.Item + ":1"}}); err != nil {
		t.Fatal(err)
	}
	put(func(tx *state.Tx) error { return tx.Documents().Put(fleet.Document{Hash: "h", Body: []byte(`{}`)}) })
	refused("a deployment asked for it", 1, true)
	put(func(tx *state.Tx) error {
		return tx.Deployments().Put(fleet.Deployment{ID: "d", Status: fleet.DeploymentFailed, Document: "h"})
	})
	refused("that deployment is over", 1, false)
}

var errUndo = errors.New("undo")

func TestImportsThatAreRefused(t *testing.T) {
	s := open(t, func(o *Options) { o.MaxSize = 1000 })
	folder := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	small := file(t, "x", []byte("1"))
	s.must(t, Import{Name: "There", Purpose: "other", Path: small})
	for what, c := range map[string]struct {
		in   Import
		want error
	}{
		"no purpose":       {Import{Name: "A", Path: small}, ErrInvalid},
		"another purpose":  {Import{Name: "There", Purpose: "application", Path: small}, ErrInvalid},
		"no source":        {Import{Name: "A", Purpose: "other"}, ErrInvalid},
		"two sources":      {Import{Name: "A", Purpose: "other", Path: small, URL: "http://x/"}, ErrInvalid},
		"missing":          {Import{Name: "A", Purpose: "other", Path: small + "x"}, ErrInvalid},
		"a link":           {Import{Name: "A", Purpose: "other", Path: folder}, ErrInvalid},
		"an empty folder":  {Import{Name: "A", Purpose: "other", Path: t.TempDir()}, ErrInvalid},
		"a device":         {Import{Name: "A", Purpose: "other", Path: "/dev/null"}, ErrInvalid},
		"too large":        {Import{Name: "A", Purpose: "other", Path: file(t, "x", make([]byte, 1001))}, ErrTooLarge},
		"a command":        {Import{Name: "A", Purpose: "other", Path: small, Command: "x"}, ErrInvalid},
		"models":           {Import{Name: "A", Purpose: "other", Path: small, Models: []string{"x"}}, ErrInvalid},
		"a name of 2 rows": {Import{Name: "A\nB", Purpose: "other", Path: small}, ErrInvalid},
		"a status":         {Import{Name: "A", Purpose: "other", Path: small, Status: "new"}, ErrInvalid},
		"a scheme":         {Import{Name: "A", Purpose: "other", URL: "file:///etc/passwd"}, ErrInvalid},
		"a password":       {Import{Name: "A", Purpose: "other", URL: "http://a:b@example.com/"}, ErrInvalid},
		"a bad qcow2":      {Import{Name: "A", Purpose: "operatingsystem", Path: file(t, "x.qcow2", []byte("QFI\xfb and nothing more"))}, ErrInvalid},
		"another's upload": {Import{Name: "A", Purpose: "other", Uploads: []Uploaded{{ID: strings.Repeat("0", 32), Path: "x"}}}, ErrNotFound},
		"a path upwards":   {Import{Name: "A", Purpose: "other", Uploads: []Uploaded{{ID: "x", Path: "../x"}}}, ErrInvalid},
	} {
		if _, err := s.add(t, c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Errorf("items %+v, %v", list, err)
	}
	if got := filesIn(t, s.o.Dir); len(got) != 2 {
		t.Errorf("left behind: %q", got)
	}
}

func TestConversionAtIntake(t *testing.T) {
	s := open(t)
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v %s", name, args, err, out)
		}
	}
	raw := append(random(2, 1<<20), make([]byte, 5<<20)...)
	if err := os.WriteFile(filepath.Join(dir, "disk.img"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "disk.img", "disk.qcow2")
	if err := os.MkdirAll(filepath.Join(dir, "tree"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tree", "f"), random(3, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	run("wimlib-imagex", "capture", "tree", "install.wim")
	run("wimlib-imagex", "capture", "tree", "solid.esd", "--solid")
	for _, c := range []struct {
		file, purpose, want string
		more                func(*Import)
	}{
		{"disk.img", "operatingsystem", "disk.holes", nil},
		{"disk.qcow2", "operatingsystem", "disk.holes", nil},
		{"disk.qcow2", "operatingsystem", "disk.holes disk.qcow2", func(i *Import) { i.KeepOriginal = true }},
		{"disk.qcow2", "operatingsystem", "disk.qcow2", func(i *Import) { i.AsIs = true }},
		{"disk.img", "other", "disk.img", nil},
		{"install.wim", "operatingsystem", "install.pipable.wim install.wim", nil},
		{"solid.esd", "operatingsystem", "solid.esd solid.pipable.wim", nil},
	} {
		in := Import{Name: c.file + c.purpose, Purpose: c.purpose, Path: filepath.Join(dir, c.file)}
		if c.more != nil {
			c.more(&in)
		}
		v := s.must(t, in)
		m, err := s.Manifest(v.Item, v.Version)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range m.Files {
			names = append(names, f.Path)
			if strings.HasSuffix(f.Path, HolesExtension) && (f.Form != wire.FormHoles || f.Original != c.file || f.RawSize != int64(len(raw)) || f.Size > 2<<20) {
				t.Errorf("%+v", f)
			}
			if strings.HasSuffix(f.Path, ".pipable.wim") && (f.Form != wire.FormPipableWIM || f.Original != c.file) {
				t.Errorf("%+v", f)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s as %s: %s, want %s (%s)", c.file, c.purpose, got, c.want, v.Notes)
		}
	}
	// What was made of the WIM is read from a pipe.
	v, err := s.Item("solid.esdoperatingsystem")
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(v.ID, 1, "solid.pipable.wim")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("wimlib-imagex", "apply", "-", "1", filepath.Join(dir, "out"))
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "out", "f")); err != nil || !bytes.Equal(got, random(3, 300_000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.32.10": true, "8.8.8.8": true, "2606:4700::1111": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.20.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.1.1": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
	} {
		if public(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

func TestImportFromAnAddress(t *testing.T) {
	data := random(4, 6<<20)
	cuts := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/disk.bin", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if cuts++; cuts == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:4<<20])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", fleet.ContentVersion{}.CreatedAt, bytes.NewReader(data))
	})
	mux.Handle("/moved", http.RedirectHandler("/disk.bin", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(data); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

	if _, err := open(t).add(t, Import{Name: "A", Purpose: "other", URL: server.URL + "/disk.bin"}); !errors.Is(err, ErrRefused) || cuts != 0 {
		t.Errorf("from this machine: %v, %d requests", err, cuts)
	}
	s := open(t, func(o *Options) { o.Private, o.MaxSize = true, 8<<20 })
	v := s.must(t, Import{Name: "A", Purpose: "other", URL: server.URL + "/moved"})
	f, err := s.Open(v.Item, 1, "moved")
	if err != nil || f.Size != int64(len(data)) || cuts != 2 {
		t.Fatalf("%+v, %v, %d requests", f, err, cuts)
	}
	f.Close()
	for path, want := range map[string]error{"/round": ErrRefused, "/file": ErrRefused, "/none": ErrInvalid, "/endless": ErrTooLarge} {
		if _, err := s.add(t, Import{Name: "B", Purpose: "other", URL: server.URL + path}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if _, err := s.add(t, Import{Name: "B", Purpose: "other", URL: server.URL + "/disk.bin", SHA256: strings.Repeat("0", 64)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("another hash: %v", err)
	}
	if got := filesIn(t, s.o.Dir); len(got) != 2 {
		t.Errorf("left behind: %q", got)
	}
}
