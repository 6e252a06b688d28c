package backup

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/state"
)

// testdata/1 holds a backup of format 1, made by this package: its manifest, and the
// whole file; testdata/2 one with content, testdata/3 with catalogues as well. Every later version reads them. -update writes those of the present
// format; one that was released must not change under its number.
var updateGolden = flag.Bool("update", false, "write the golden files of the present format")

func TestGoldenManifest(t *testing.T) {
	plain := Manifest{Format: 1, Product: product, Version: "1.2.3", Installation: "aaaabbbbccccdddd", Created: created,
		Files: []File{
			{stateName, 1234, "0000000000000000000000000000000000000000000000000000000000000001"},
			{keyName, 66, "0000000000000000000000000000000000000000000000000000000000000002"},
			{"audit/audit-00000001.jsonl", 99, "0000000000000000000000000000000000000000000000000000000000000003"},
			{ConfigurationName, 0, "0000000000000000000000000000000000000000000000000000000000000004"},
		}}
	full := plain
	full.Format, full.Content = 2, &Content{Blobs: 3, Size: 1 << 40}
	lists := full
	lists.Format, lists.Files = 3, slices.Insert(slices.Clone(plain.Files), 3, File{"catalogues/dell.json", 77, "0000000000000000000000000000000000000000000000000000000000000005"})
	for _, want := range []Manifest{plain, full, lists} {
		got, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", strconv.Itoa(want.Format), manifestName)
		if *updateGolden {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, got, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("the format changed: was\n%s\nis\n%s", data, got)
		}
		if m, err := parseManifest(data); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

// The golden backups restore for ever. (They cannot be compared byte by byte: they are
// sealed.)
func TestGoldenBackup(t *testing.T) {
	for _, format := range []int{1, 2, 3} {
		path := filepath.Join("testdata", strconv.Itoa(format), "backup.age")
		if *updateGolden && format == manifestFormat {
			if err := os.WriteFile(path, newAppliance(t).withContent(t, 300).withCatalogue(t).backup(t), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(t.TempDir(), "data")
		if err := restore(t, data, file); err != nil {
			t.Fatal(err)
		}
		if format >= 2 {
			hasContent(t, data)
		}
		if text, err := os.ReadFile(filepath.Join(data, catalogueFile)); (err == nil) != (format >= 3) || err == nil && string(text) != catalogueText {
			t.Errorf("format %d: the catalogue is %q, %v", format, text, err)
		}
		store, ring := opened(t, data)
		err = store.View(func(tx *state.Tx) error {
			i, err := tx.Installation().Get(state.Self)
			if err != nil {
				return err
			}
			plain, err := ring.Open(i.Authorities[0].SealedKey, "test")
			if string(plain) != "the CA's key" {
				t.Errorf("%q", plain)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func FuzzReadArchive(f *testing.F) {
	for _, format := range []string{"1", "2", "3"} {
		file, err := os.ReadFile(filepath.Join("testdata", format, "backup.age"))
		if err != nil {
			f.Fatal(err)
		}
		plain := unsealed(f, file)
		f.Add(plain)
		f.Add(plain[:2048])
		f.Add(plain[:len(plain)-2048])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := map[string]bool{}
		_, err := readArchive(t.Context(), bytes.NewReader(data), &looking{t, seen})
		if err == nil && (!seen[stateName] || !seen[keyName]) {
			t.Fatal("an archive without a state was taken")
		}
	})
}

// looking is a sink that keeps nothing.
type looking struct {
	t    *testing.T
	seen map[string]bool
}

func (l *looking) expect(Manifest) error { return nil }

func (l *looking) putBlob(_ context.Context, b content.Blob, r io.Reader) error {
	return l.take(b.SHA256, len(b.SHA256) == 64, b.Size, r)
}

func (l *looking) put(_ context.Context, e File, r io.Reader) error {
	return l.take(e.Name, e.limit() > 0 && filepath.IsLocal(e.Name), e.Size, r)
}

func (l *looking) take(name string, known bool, size int64, r io.Reader) error {
	if l.seen[name] || !known {
		l.t.Fatalf("took an entry %q", name)
	}
	l.seen[name] = true
	n, err := io.Copy(io.Discard, r)
	if n > size {
		l.t.Fatalf("%q: %d bytes of %d", name, n, size)
	}
	return err
}

func FuzzParseManifest(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "1", manifestName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":2,"product":"slipway","content":{"blobs":1,"size":-1}}`))
	f.Add([]byte(`{"format":1,"product":"slipway","files":[{"name":"state"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Skip() // a time that JSON cannot hold
		}
		if _, err := parseManifest(again); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
