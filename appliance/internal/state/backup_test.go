package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"slipway/fleet"
)

// backup is the whole backup of a store.
func backup(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// restored opens what a backup gives in a folder of its own.
func restored(t testing.TB, data []byte) (*Store, Options) {
	t.Helper()
	o := quiet(filepath.Join(t.TempDir(), "restored"))
	if err := Restore(t.Context(), o.Dir, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return open(t, o), o
}

func putToken(hash string, kind fleet.TokenKind) func(*Tx) error {
	return func(tx *Tx) error { return tx.Tokens().Put(fleet.Token{Hash: hash, ID: "id-" + hash, Kind: kind}) }
}

// Everything comes back but sessions and device tokens, under a new member id; the
// restored state takes writes, compares versions and starts again.
func TestARestoredStateGoesOn(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, func(tx *Tx) error { sample(t, tx); return nil })
	update(t, s, putToken("device", fleet.TokenDevice))
	update(t, s, putToken("api", fleet.TokenAPI))
	if err := s.UpdateOnce(t.Context(), "once", putDevice("once", "first")); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		update(t, s, putDevice("d", fmt.Sprint(i)))
	}
	taken := backup(t, s)
	update(t, s, putDevice("late", "not in it"))

	r, o := restored(t, taken)
	if r.id == s.id {
		t.Error("the restored member has the id of the first")
	}
	view(t, r, func(tx *Tx) error {
		if n := tx.Sessions().Len(); n != 0 {
			t.Errorf("%d sessions came back", n)
		}
		if tx.Tokens().Has("device") || !tx.Tokens().Has("api") {
			t.Error("a device token came back, or an API token did not")
		}
		if tx.Devices().Has("late") {
			t.Error("a write after the backup is in it")
		}
		if tx.Waits().Len() != 1 || tx.Accounts().Len() != 1 || tx.Passcodes().Len() != 1 || !tx.Installation().Has(Self) {
			t.Error("something is missing")
		}
		return nil
	})
	if got := deviceName(t, r, "d"); got != "299" {
		t.Errorf("read %q", got)
	}
	if err := r.UpdateOnce(t.Context(), "once", putDevice("once", "second")); err != nil || deviceName(t, r, "once") != "first" {
		t.Errorf("an idempotency key was forgotten: %v", err)
	}
	was := rowVersion(t, r, "d")
	update(t, r, putDevice("d", "after"))
	if now := rowVersion(t, r, "d"); now <= was {
		t.Errorf("the version of a record went from %d to %d", was, now)
	}
	again := backup(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, o)
	if got := deviceName(t, r, "d"); got != "after" {
		t.Errorf("after a restart: %q", got)
	}
	if !bytes.Equal(backup(t, r), again) {
		t.Error("a restart changed the tables")
	}
	if err := r.snapshot(); err != nil {
		t.Error(err)
	}
}

// rowVersion is the version of a device's record.
func rowVersion(t *testing.T, s *Store, id string) uint64 {
	t.Helper()
	tx := newTx(s.machine, false)
	defer tx.end()
	r, err := tx.get(devicesKind.name, id)
	if err != nil {
		t.Fatal(err)
	}
	return versionOf(r)
}

// A restored folder grows over the network as any other.
func TestARestoredStateGrowsOverTheNetwork(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, putDevice("alone", "x"))
	o := quiet(filepath.Join(t.TempDir(), "restored"))
	if err := Restore(t.Context(), o.Dir, bytes.NewReader(backup(t, s))); err != nil {
		t.Fatal(err)
	}
	o.Stream = listen(t)
	r := open(t, o)
	update(t, r, putDevice("network", "y"))
	second := joinMember(t, r)
	eventually(t, "the second member has the records", func() bool {
		tx := newTx(second, false)
		defer tx.end()
		return tx.Devices().Has("alone") && tx.Devices().Has("network")
	})
}

// slowWriter lets the store be written to in the middle of a backup.
type slowWriter struct {
	bytes.Buffer
	between func()
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.between()
	return w.Buffer.Write(p)
}

// A backup is the state at its beginning, whatever is written while it runs.
func TestABackupIsOneMoment(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	long := strings.Repeat("x", 10<<10)
	pair := func(n int) func(tx *Tx) error {
		return func(tx *Tx) error {
			return errors.Join(tx.Devices().Put(fleet.Device{ID: "a", Name: fmt.Sprint(n)}),
				tx.Waits().Put(fleet.Wait{Key: "z", Failures: n}))
		}
	}
	for i := range 100 {
		update(t, s, putDevice(fmt.Sprintf("d%03d", i), long))
	}
	update(t, s, pair(1))
	n := 1
	w := &slowWriter{}
	w.between = func() {
		n++
		update(t, s, pair(n))
	}
	if err := s.Backup(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if n < 5 {
		t.Fatalf("the backup came in %d pieces", n)
	}
	r, _ := restored(t, w.Bytes())
	view(t, r, func(tx *Tx) error {
		z, err := tx.Waits().Get("z")
		if z.Failures != 1 {
			t.Errorf("the backup has the wait at %d, want 1", z.Failures)
		}
		return err
	})
	if got := deviceName(t, r, "a"); got != "1" {
		t.Errorf("the backup has the device at %s, want 1", got)
	}
}

// The form of a backup is that of a snapshot: the golden files are read.
func TestGoldenFilesAreBackups(t *testing.T) {
	m := machineFor(t)
	sampleEntries(t, m)
	point := &Point{&frozen{machine: m, txn: m.db.Load().Txn(false)}}
	defer point.Release()
	var got bytes.Buffer
	for range 2 {
		got.Reset()
		if err := point.Write(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		golden(t, "snapshot.bin", got.Bytes())
	}
	list, err := filepath.Glob("testdata/*/snapshot.bin")
	if err != nil || len(list) != generation {
		t.Fatal(list, err)
	}
	for _, name := range list {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := restored(t, data)
		view(t, r, func(tx *Tx) error {
			if tx.Accounts().Len() != 1 || tx.Devices().Len() != 1 || tx.Sequences().Len() != 0 {
				t.Errorf("%s: not what it holds", name)
			}
			return nil
		})
	}
}

// A backup that was cut, changed, continued or made by a newer version leaves
// nothing behind and says what is wrong in one line.
func TestABadBackupLeavesNothing(t *testing.T) {
	m := machineFor(t)
	sampleEntries(t, m)
	whole := dump(t, m)
	try := func(what string, data []byte, want error) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "state")
		err := Restore(t.Context(), dir, bytes.NewReader(data))
		if !errors.Is(err, want) && !(want == ErrDamaged && errors.Is(err, ErrNewer)) {
			t.Fatalf("%s: %v", what, err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", what, err)
		}
		if list, _ := os.ReadDir(filepath.Dir(dir)); len(list) != 0 {
			t.Fatalf("%s: left behind %v", what, list)
		}
	}
	for i := 0; i < len(whole); i += 7 {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x21
		try(fmt.Sprintf("byte %d changed", i), broken, ErrDamaged)
		try(fmt.Sprintf("cut to %d", i), whole[:i], ErrDamaged)
	}
	try("continued", append(bytes.Clone(whole), 0), ErrDamaged)
	newer := bytes.Clone(whole)
	newer[len(snapshotMagic)]++
	try("newer", newer, ErrNewer)
}

// An error of the source, or the caller going away, is told as it is.
func TestARestoreThatCannotRead(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, putDevice("a", "x"))
	data := backup(t, s)
	cause := errors.New("the cable was pulled")
	dir := filepath.Join(t.TempDir(), "state")
	err := Restore(t.Context(), dir, &brokenReader{data[:len(data)/2], cause})
	if !errors.Is(err, cause) {
		t.Errorf("broken source: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Restore(ctx, dir, iotest.OneByteReader(bytes.NewReader(data))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Backup(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled backup: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), &bytes.Buffer{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

type brokenReader struct {
	data []byte
	err  error
}

func (b *brokenReader) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		return 0, b.err
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func TestARestoreNeedsAnEmptyFolder(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	update(t, s, putDevice("a", "x"))
	data := backup(t, s)
	if !InUse(s.opts.Dir) {
		t.Error("a folder in use is not seen to be")
	}
	if err := Restore(t.Context(), s.opts.Dir, bytes.NewReader(data)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if InUse(s.opts.Dir) {
		t.Error("a closed folder seems in use")
	}
	if err := Restore(t.Context(), s.opts.Dir, bytes.NewReader(data)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder with a state: %v", err)
	}
	empty := t.TempDir()
	if err := Restore(t.Context(), empty, bytes.NewReader(data)); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	// Somebody puts a file there while the restore runs.
	late := filepath.Join(t.TempDir(), "late")
	r := &slowReader{r: bytes.NewReader(data), once: func() {
		if err := errors.Join(os.Mkdir(late, 0o700), os.WriteFile(filepath.Join(late, "theirs"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}}
	if err := Restore(t.Context(), late, r); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder that was filled meanwhile: %v", err)
	}
	if _, err := os.Stat(late + newSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

type slowReader struct {
	r    *bytes.Reader
	once func()
}

func (s *slowReader) Read(p []byte) (int, error) {
	if s.once != nil {
		s.once()
		s.once = nil
	}
	return s.r.Read(p)
}

// A restore that is killed leaves no state, or the whole one.
func TestAKilledRestore(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	for i := range 200 {
		update(t, s, putDevice(fmt.Sprintf("d%03d", i), strings.Repeat("y", 2000)))
	}
	data := backup(t, s)
	file := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	rounds, random, none, whole := 25, random(t), 0, 0
	if soak() {
		rounds = 500
	}
	for range rounds {
		dir := filepath.Join(t.TempDir(), "state")
		cmd := helper(t, "restore", dir, "SLIPWAY_STATE_BACKUP="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = out.Read(make([]byte, 1)) // it begins
		time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			none++
			if err := Restore(t.Context(), dir, bytes.NewReader(data)); err != nil {
				t.Fatalf("a second try: %v", err)
			}
		} else {
			whole++
		}
		r := open(t, quiet(dir))
		view(t, r, func(tx *Tx) error {
			if n := len(slices.Collect(tx.Devices().All())); n != 200 {
				t.Errorf("%d devices", n)
			}
			return nil
		})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d times none, %d times the whole state", none, whole)
}

// helperRestore restores what it is told to, until it is killed.
func helperRestore() {
	data, err := os.ReadFile(os.Getenv("SLIPWAY_STATE_BACKUP"))
	if err != nil {
		panic(err)
	}
	fmt.Println("begin")
	if err := Restore(context.Background(), os.Getenv("SLIPWAY_STATE_DIR"), bytes.NewReader(data)); err != nil {
		panic(err)
	}
}

func FuzzReadBackup(f *testing.F) {
	list, err := filepath.Glob("testdata/*/snapshot.bin")
	if err != nil || len(list) == 0 {
		f.Fatal("no golden snapshot", err)
	}
	for _, name := range list {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, 1))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, index, err := readBackup(t.Context(), bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		again, next, err := readBackup(t.Context(), bytes.NewReader(dump(t, m)))
		if err != nil || next > index || !bytes.Equal(dump(t, again), dump(t, m)) {
			t.Fatalf("what was read once is not read again: %v, %d to %d", err, index, next)
		}
	})
}
