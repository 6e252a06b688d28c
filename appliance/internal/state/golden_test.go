package state

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// The folders testdata/1, testdata/2, ... hold what each released format looks
// like: a record of every table, log entries, a snapshot and the meta file. They
// are read by every later version. -update writes those of the present format; a
// format that was released must not change under its number.
var updateGolden = flag.Bool("update", false, "write the golden files of the present format")

// generation counts the changes of any of the formats; the newest folder's name.
const generation = 1

// golden compares got with a file of the present format, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", fmt.Sprint(generation), name)
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s changed: a released format must stay as it is. Was\n%q\nis\n%q", path, want, got)
	}
}

// sample fills a record of every table and files it.
func sample(t *testing.T, tx *Tx) {
	t.Helper()
	put := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	put(putFilled(tx.Installation()))
	put(putFilled(tx.Settings()))
	put(putFilled(tx.SignIn()))
	put(putFilled(tx.Graph()))
	put(putFilled(tx.Devices().Table))
	put(putFilled(tx.Deployments().Table))
	put(putFilled(tx.Results().Table))
	put(putFilled(tx.Documents()))
	put(putFilled(tx.Sequences().Table))
	put(putFilled(tx.Images()))
	put(putFilled(tx.Passcodes()))
	put(putFilled(tx.Accounts()))
	put(putFilled(tx.Sessions().Table))
	put(putFilled(tx.Tokens().Table))
	put(putFilled(tx.Waits()))
	put(putFilled(tx.Keys()))
	put(putFilled(tx.Leases()))
	put(putFilled(tx.Media()))
	put(putFilled(tx.ContentItems().Table))
	put(putFilled(tx.ContentVersions().Table))
	put(putFilled(tx.ContentPins().Table))
	put(putFilled(tx.Definitions().Table))
}

func putFilled[T any](table Table[T]) error {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return table.Put(v)
}

// sampleEntries are two log entries: one writes a record of every table, one has
// every kind of check and a removal.
func sampleEntries(t *testing.T, m *machine) [][]byte {
	t.Helper()
	tx := newTx(m, true)
	sample(t, tx)
	first := tx.entry("once:golden-1", true).encode()
	tx.end()
	if out := m.Apply(&raft.Log{Index: 7, Data: first}); out != outcomeApplied {
		t.Fatal(out)
	}
	tx = newTx(m, true)
	defer tx.end()
	tx.Waits().Len()
	_ = slices.Collect(tx.Devices().BySerial("text-5")) // for its check
	tx.Accounts().Has("nobody")
	for q := range tx.Sequences().All() {
		if err := tx.Sequences().Delete(SequenceKey(q.ID, q.Version)); err != nil {
			t.Fatal(err)
		}
	}
	second := tx.entry("GOLDEN2", false).encode()
	if out := m.Apply(&raft.Log{Index: 9, Data: second}); out != outcomeApplied {
		t.Fatal(out)
	}
	return [][]byte{first, second}
}

func TestGoldenFilesOfThisFormat(t *testing.T) {
	m := machineFor(t)
	entries := sampleEntries(t, m)
	for i, e := range entries {
		golden(t, fmt.Sprintf("entry-%d.bin", i+1), e)
	}
	first, err := decodeEntry(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range first.changes {
		golden(t, "record-"+c.table+".bin", c.data)
	}
	golden(t, "snapshot.bin", dump(t, m))
	path := filepath.Join(t.TempDir(), metaName)
	if err := createMeta(path); err != nil {
		t.Fatal(err)
	}
	meta, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "meta-slot.bin", bytes.TrimRight(meta[metaSlot:], "\x00"))
}

// Every format ever released is read: its entries give its snapshot's content, and
// each of its records is understood by its table.
func TestGoldenFilesOfAllFormats(t *testing.T) {
	folders, err := filepath.Glob("testdata/[0-9]*")
	if err != nil || len(folders) != generation {
		t.Fatalf("%d folders of formats (%v), want %d", len(folders), err, generation)
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, dir := range folders {
		played, restored := machineFor(t), machineFor(t)
		for i, index := range []uint64{7, 9} {
			data := read(filepath.Join(dir, fmt.Sprintf("entry-%d.bin", i+1)))
			if err := played.understands(data); err != nil {
				t.Error(err)
			}
			if out := played.Apply(&raft.Log{Index: index, Data: data}); out != outcomeApplied {
				t.Errorf("%s: entry %d: %v", dir, i+1, out)
			}
		}
		if err := restored.Restore(io.NopCloser(bytes.NewReader(read(filepath.Join(dir, "snapshot.bin"))))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(dump(t, played), dump(t, restored)) {
			t.Errorf("%s: entries and snapshot disagree", dir)
		}
		for _, table := range restored.tables {
			rec, err := table.decode(read(filepath.Join(dir, "record-"+table.name+".bin")))
			if err != nil || reflect.ValueOf(rec).Elem().IsZero() {
				t.Errorf("%s: record of %s: %v, %v", dir, table.name, rec, err)
			}
		}
		if _, body, err := readSlot(bytes.NewReader(read(filepath.Join(dir, "meta-slot.bin")))); err != nil || body.Stable == nil {
			t.Errorf("%s: meta file: %v", dir, err)
		}
	}
}

// A folder written by a newer version is refused with one line, and left as it is.
func TestANewerFormatRefusesToStart(t *testing.T) {
	newer := func(change func(t *testing.T, s *Store, dir string)) func(t *testing.T) {
		return func(t *testing.T) {
			o := quiet(t.TempDir())
			s := open(t, o)
			update(t, s, putDevice("a", "x"))
			change(t, s, o.Dir)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), o)
			if !errors.Is(err, ErrNewer) {
				t.Fatalf("opened: %v", err)
			}
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "install that version again") {
				t.Errorf("message %q", err)
			}
		}
	}
	logged := func(t *testing.T, s *Store, data []byte) {
		if err := s.raft.Apply(data, 0).Error(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("entry", newer(func(t *testing.T, s *Store, _ string) {
		logged(t, s, []byte{entryFormat + 1, 1, 2, 3, 4, 5})
	}))
	t.Run("record", newer(func(t *testing.T, s *Store, _ string) {
		logged(t, s, (&entry{key: "k", changes: []change{{table: "waits", key: "a", data: []byte{recordFormat + 1, '{', '}'}}}}).encode())
	}))
	t.Run("table", newer(func(t *testing.T, s *Store, _ string) {
		logged(t, s, (&entry{key: "k", changes: []change{{table: "tomorrow", key: "a", data: []byte("\x01{}")}}}).encode())
	}))
	t.Run("snapshot", newer(func(t *testing.T, s *Store, dir string) {
		if err := s.snapshot(); err != nil {
			t.Fatal(err)
		}
		forgeSnapshot(t, dir, func(data []byte) []byte {
			data[len(snapshotMagic)] = snapshotFormat + 1
			return data
		})
	}))
	t.Run("record in a snapshot", newer(func(t *testing.T, s *Store, dir string) {
		if err := s.snapshot(); err != nil {
			t.Fatal(err)
		}
		m := machineFor(t)
		txn := m.db.Load().Txn(true)
		if err := txn.Insert("waits", &row{key: "a", version: 1, data: []byte{recordFormat + 1, '{', '}'}, rec: &waitRecord{}}); err != nil {
			t.Fatal(err)
		}
		txn.Commit()
		forgeSnapshot(t, dir, func([]byte) []byte { return dump(t, m) })
	}))
	t.Run("meta", newer(func(t *testing.T, s *Store, _ string) {
		s.logs.meta.mu.Lock()
		defer s.logs.meta.mu.Unlock()
		s.logs.meta.format = metaFormat + 1
		if err := s.logs.meta.write(s.logs.meta.body); err != nil {
			t.Fatal(err)
		}
	}))
}
