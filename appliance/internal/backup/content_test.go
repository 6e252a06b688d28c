package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/content"
	"slipway/lab/mounttest"
)

// hasContent looks whether a data folder holds all that withContent made: every byte
// is read and compared with its hash.
func hasContent(t *testing.T, data string) {
	t.Helper()
	store, _ := opened(t, data)
	defer store.Close()
	log, err := audit.Open(t.TempDir(), audit.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s, err := content.New(content.Options{Store: store, Dir: filepath.Join(data, contentFolder), Audit: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.List()
	if err != nil || len(list) != 3 {
		t.Fatalf("items %+v, %v", list, err)
	}
	j, err := s.Verify(t.Context(), content.Actor{}, "", 0)
	if err == nil {
		j, err = s.Wait(t.Context(), j.ID)
	}
	if err != nil {
		t.Errorf("content after the restore: %v %+v", err, j.Damage)
	}
	if freed, err := s.Collect(); err != nil || freed != 0 {
		t.Errorf("%d bytes came that nothing names, %v", freed, err)
	}
	if err := os.RemoveAll(filepath.Join(data, contentFolder, "incoming")); err != nil {
		t.Fatal(err)
	}
}

// meddling runs something when so many bytes have passed.
type meddling struct {
	bytes.Buffer
	at   int
	do   func()
	held *held
}

func (m *meddling) Write(p []byte) (int, error) {
	if m.do != nil && m.Len() >= m.at {
		m.do()
		m.do = nil
	}
	if m.held != nil {
		m.held.pass(len(p))
	}
	return m.Buffer.Write(p)
}

// held measures what the program holds in memory at its most, looked at when each
// 8 MiB have passed.
type held struct {
	passed, next int
	base, most   uint64
}

func newHeld() *held { return &held{base: live()} }

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (h *held) pass(n int) {
	if h.passed += n; h.passed >= h.next {
		h.next = h.passed + 8<<20
		h.most = max(h.most, live())
	}
}

// growth is how many bytes more were held than at the beginning.
func (h *held) growth() uint64 { return max(h.most, h.base) - h.base }

// The content of the moment is in a backup, whatever is deleted, collected and added
// while it is written; what is read of it is not held in memory.
func TestContentThatChangesDuringABackup(t *testing.T) {
	const big = 48 << 20
	a := newAppliance(t).withContent(t, big)
	by := content.Actor{Name: "somebody"}
	out := &meddling{at: 1 << 20, do: func() {
		for _, name := range []string{"Small", "Folder", "Big"} {
			if err := a.content.Delete(t.Context(), by, name, 0); err != nil {
				t.Error(err)
			}
		}
		if _, err := a.content.Collect(); err != nil {
			t.Error(err)
		}
		a.bring(t, "Late", a.sparse(t, 5<<20))
	}}
	out.Grow(2 * big)
	out.held = newHeld()
	m, err := a.Write(t.Context(), out, passphrase, Wanted{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := out.held.growth(); n > big/3 {
		t.Errorf("%d bytes were held for a backup of %d", n, big)
	}
	if m.Format != 2 || m.Content == nil || m.Content.Blobs != 4 || m.Content.Size < big {
		t.Errorf("manifest %+v", m)
	}
	if out.do != nil {
		t.Error("nothing was changed meanwhile")
	}
	data := filepath.Join(t.TempDir(), "data")
	in := &filling{r: bytes.NewReader(out.Bytes()), held: newHeld()}
	if _, err := Restore(t.Context(), data, in, passphrase, Needed{}); err != nil {
		t.Fatal(err)
	}
	if n := in.held.growth(); n > big/3 {
		t.Errorf("%d bytes were held for a restore of %d", n, big)
	}
	if got := names(t, filepath.Join(data, contentFolder)); !slices.Equal(got, []string{"blobs"}) {
		t.Errorf("the content's folder holds %v", got)
	}
	hasContent(t, data)
	// Afterwards nothing is held any more: only "Late" is left.
	if _, err := a.content.Collect(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(a.from.Data, contentFolder, "blobs", "*", "*")); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A backup without content has the format that earlier versions read.
func TestABackupWithoutContent(t *testing.T) {
	a := newAppliance(t).withContent(t, 100)
	var out bytes.Buffer
	m, err := a.Write(t.Context(), &out, passphrase, Wanted{})
	if err != nil || m.Format != 1 || m.Content != nil {
		t.Errorf("%+v, %v", m, err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := restore(t, data, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(names(t, data), contentFolder) {
		t.Error("it brought content")
	}
}

// Catalogues come with every backup, whose format earlier versions refuse; not with them
// what lies beside them.
func TestABackupOfCatalogues(t *testing.T) {
	a := newAppliance(t).withCatalogue(t)
	var out bytes.Buffer
	m, err := a.Write(t.Context(), &out, passphrase, Wanted{})
	if err != nil || m.Format != 3 || m.Content != nil {
		t.Errorf("%+v, %v", m, err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := restore(t, data, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(data, catalogueFile)); err != nil || string(text) != catalogueText {
		t.Errorf("%q, %v", text, err)
	}
	if got := names(t, filepath.Join(data, catalogueFolder)); len(got) != 1 {
		t.Errorf("restored %v", got)
	}
	old := rewrite(t, out.Bytes(), func(m *Manifest) { m.Format = 2 })
	if err := restore(t, filepath.Join(t.TempDir(), "data"), old); !errors.Is(err, ErrDamaged) {
		t.Errorf("a catalogue in format 2: %v", err)
	}
}

// What cannot be backed up is told with its name: what is missing before the first
// byte, what was changed when it is met.
func TestABackupOfDamagedContent(t *testing.T) {
	a := newAppliance(t).withContent(t, 9<<20)
	files, err := filepath.Glob(filepath.Join(a.from.Data, contentFolder, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	largest := slices.MaxFunc(files, func(x, y string) int {
		a, _ := os.Stat(x)
		b, _ := os.Stat(y)
		return int(a.Size() - b.Size())
	})
	was, err := os.ReadFile(largest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(largest, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func() error
		early  bool
	}{
		"changed": {func() error { return os.WriteFile(largest, append([]byte("y"), was[1:]...), 0o600) }, false},
		"cut":     {func() error { return os.Truncate(largest, 4) }, true},
		"missing": {func() error { return os.Remove(largest) }, true},
	} {
		if err := errors.Join(os.WriteFile(largest, was, 0o600), c.damage()); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err := a.Write(t.Context(), &out, passphrase, Wanted{Content: true})
		if !errors.Is(err, content.ErrDamaged) || !strings.Contains(err.Error(), `content "Big", version 1`) || c.early != (out.Len() == 0) {
			t.Errorf("%s: %v after %d bytes", name, err, out.Len())
		}
		if err := restore(t, filepath.Join(t.TempDir(), "data"), out.Bytes()); err == nil {
			t.Errorf("%s: what came of it restores", name)
		}
	}
}

// What is wrong with the content of a file is told, and nothing is changed.
func TestContentThatIsRefused(t *testing.T) {
	a := newAppliance(t).withContent(t, 300<<10)
	file := a.backup(t)
	type part struct {
		head *tar.Header
		body []byte
	}
	edited := func(edit func(parts []part) []part) []byte {
		in := tar.NewReader(bytes.NewReader(unsealed(t, file)))
		var parts []part
		for {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, part{h, body})
		}
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, p := range edit(parts) {
			p.head.Size = int64(len(p.body))
			if err := w.WriteHeader(p.head); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p.body); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return sealedWith(t, mustRecipient(t), out.Bytes())
	}
	says := func(parts []part, change func(m *Manifest)) []part {
		m, err := parseManifest(parts[0].body)
		if err != nil {
			t.Fatal(err)
		}
		change(&m)
		if parts[0].body, err = m.encode(); err != nil {
			t.Fatal(err)
		}
		return parts
	}
	last := func(p []part) *part { return &p[len(p)-1] }
	for name, bad := range map[string][]byte{
		"cut in the content": file[:len(file)-100<<10],
		"another byte":       edited(func(p []part) []part { last(p).body[0] ^= 1; return p }),
		"another name":       edited(func(p []part) []part { last(p).head.Name = contentFolder + "/" + strings.Repeat("f", 64); return p }),
		"a name outside":     edited(func(p []part) []part { last(p).head.Name = contentFolder + "/../../x"; return p }),
		"one is missing":     edited(func(p []part) []part { return p[:len(p)-1] }),
		"one is missing, and the manifest agrees": edited(func(p []part) []part {
			size := int64(len(last(p).body))
			return says(p[:len(p)-1], func(m *Manifest) { m.Content.Blobs--; m.Content.Size -= size })
		}),
		"one is there twice": edited(func(p []part) []part { return append(p, *last(p)) }),
		"another order":      edited(func(p []part) []part { n := len(p); p[n-1], p[n-2] = p[n-2], p[n-1]; return p }),
		"a format without":   edited(func(p []part) []part { return says(p, func(m *Manifest) { m.Format = formatPlain }) }),
		"another size":       edited(func(p []part) []part { return says(p, func(m *Manifest) { m.Content.Size++ }) }),
		"a link":             edited(func(p []part) []part { last(p).head.Typeflag = tar.TypeSymlink; last(p).body = nil; return p }),
	} {
		data := filepath.Join(t.TempDir(), "data")
		err := restore(t, data, bad)
		if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "another byte" && !strings.HasSuffix(err.Error(), " has another sum)") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left behind %v", name, names(t, data))
		}
	}
	newer := edited(func(p []part) []part { return says(p, func(m *Manifest) { m.Format = manifestFormat + 1 }) })
	if err := restore(t, filepath.Join(t.TempDir(), "data"), newer); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer one: %v", err)
	}
}

// A disk that is too small is told before the content is written, or when it runs
// full meanwhile; nothing is changed.
func TestARestoreOntoAFullDisk(t *testing.T) {
	a := newAppliance(t).withContent(t, 40<<20)
	file := a.backup(t)
	disk := mounttest.Small(t, "90m")
	data := filepath.Join(disk, "data")
	refused := func(r io.Reader) {
		t.Helper()
		_, err := Restore(t.Context(), data, r, passphrase, Needed{})
		if err == nil || !strings.Contains(err.Error(), "too full") || !strings.Contains(err.Error(), fmt.Sprint(40 << 20)[:3]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left behind %v", names(t, data))
		}
	}
	refused(&filling{r: bytes.NewReader(file), at: 20 << 20, do: func() { t.Error("content was read for a disk without room for it") }}) // 64 MiB stay free for the state
	if err := unix.Mount("none", disk, "tmpfs", unix.MS_REMOUNT, "size=160m"); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	refused(&filling{r: bytes.NewReader(file), at: 20 << 20, do: func() {
		if err := os.WriteFile(ballast, make([]byte, 60<<20), 0o600); err != nil {
			t.Error(err)
		}
	}})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := restore(t, data, file); err != nil {
		t.Fatal(err)
	}
	hasContent(t, data)
}

// filling does something when so many bytes were read.
type filling struct {
	r    io.Reader
	at   int
	do   func()
	held *held
}

func (f *filling) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.at -= n; f.at <= 0 && f.do != nil {
		f.do()
		f.do = nil
	}
	if f.held != nil {
		f.held.pass(n)
	}
	return n, err
}

// A backup that is given up while content is written ends, and holds nothing.
func TestABackupOfContentThatIsGivenUp(t *testing.T) {
	a := newAppliance(t).withContent(t, 20<<20)
	ctx, cancel := context.WithCancel(t.Context())
	out := &meddling{at: 1 << 20, do: cancel}
	if _, err := a.Write(ctx, out, passphrase, Wanted{Content: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := a.content.Delete(t.Context(), content.Actor{}, "Big", 0); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(a.from.Data, contentFolder, "blobs", "*", "*")); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}
