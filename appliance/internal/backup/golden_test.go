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
	"testing"

	"slipway/appliance/internal/state"
)

// testdata/1 holds a backup of format 1, made by this package: its manifest, and the
// whole file. Every later version reads them. -update writes those of the present
// format; one that was released must not change under its number.
var updateGolden = flag.Bool("update", false, "write the golden files of the present format")

func TestGoldenManifest(t *testing.T) {
	want := Manifest{Format: 1, Product: product, Version: "1.2.3", Installation: "aaaabbbbccccdddd", Created: created,
		Files: []File{
			{stateName, 1234, "0000000000000000000000000000000000000000000000000000000000000001"},
			{keyName, 66, "0000000000000000000000000000000000000000000000000000000000000002"},
			{"audit/audit-00000001.jsonl", 99, "0000000000000000000000000000000000000000000000000000000000000003"},
			{ConfigurationName, 0, "0000000000000000000000000000000000000000000000000000000000000004"},
		}}
	got, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "1", manifestName)
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

// The golden backup restores for ever. (It cannot be compared byte by byte: it is
// sealed.)
func TestGoldenBackup(t *testing.T) {
	path := filepath.Join("testdata", "1", "backup.age")
	if *updateGolden {
		if err := os.WriteFile(path, newAppliance(t).backup(t), 0o644); err != nil {
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

func FuzzReadArchive(f *testing.F) {
	file, err := os.ReadFile(filepath.Join("testdata", "1", "backup.age"))
	if err != nil {
		f.Fatal(err)
	}
	plain := unsealed(f, file)
	f.Add(plain)
	f.Add(plain[:2048])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := map[string]bool{}
		_, err := readArchive(t.Context(), bytes.NewReader(data), func(_ context.Context, e File, r io.Reader) error {
			if seen[e.Name] || e.limit() == 0 || !filepath.IsLocal(e.Name) {
				t.Fatalf("took an entry %q", e.Name)
			}
			seen[e.Name] = true
			n, err := io.Copy(io.Discard, r)
			if n > e.Size {
				t.Fatalf("%q: %d bytes of %d", e.Name, n, e.Size)
			}
			return err
		})
		if err == nil && (!seen[stateName] || !seen[keyName]) {
			t.Fatal("an archive without a state was taken")
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "1", manifestName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":2,"product":"slipway"}`))
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
