package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestEntryRoundTrip(t *testing.T) {
	want := &entry{key: "k", named: true,
		checks:  []check{{kind: checkLookup, table: "devices", index: "mac", value: "v", count: 3, max: 1 << 60}, {kind: checkTable, table: "t", max: 1}},
		changes: []change{{table: "t", key: "a", expect: 7, data: []byte("\x01{}")}, {table: "t", key: "b", expect: 1, remove: true}}}
	got, err := decodeEntry(want.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	data := want.encode()
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= 0x40
		if _, err := decodeEntry(broken); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Errorf("a flipped bit in byte %d: %v", i, err)
		}
		if _, err := decodeEntry(data[:i]); err == nil {
			t.Errorf("cut to %d bytes: accepted", i)
		}
	}
}

// resum gives a fuzzed entry the right checksum, so that the fields are reached.
func resum(data []byte) []byte {
	data = append([]byte{entryFormat, 0, 0, 0, 0}, data...)
	putSum(data)
	return data
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add((&entry{key: "k", changes: []change{{table: "waits", key: "a", data: []byte("\x01{}")}}}).encode()[5:])
	f.Add((&entry{key: "k", checks: []check{{kind: checkRecord, table: "waits", value: "a"}}}).encode()[5:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeEntry(resum(body))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v", err)
			}
			return
		}
		if _, err := decodeEntry(e.encode()); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		m := machineFor(t)
		_, _ = applyEntry(m, 1, e) // must not panic
		dump(t, m)
	})
}

func FuzzReadSnapshot(f *testing.F) {
	golden, err := filepath.Glob("testdata/*/snapshot.bin")
	if err != nil || len(golden) == 0 {
		f.Fatal("no golden snapshot", err)
	}
	for _, name := range golden {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := machineFor(t)
		if _, err := m.readSnapshot(bytes.NewReader(data)); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatal(err)
		}
	})
}

func FuzzScanSegment(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(append(make([]byte, 32), 3, 0, 0, 0, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanSegment(data)
		if s.end > int64(len(data)) || int64(s.indexStart) > int64(len(data)) {
			t.Fatalf("%+v of %d bytes", s, len(data))
		}
	})
}

func FuzzReadSlot(f *testing.F) {
	f.Add([]byte(metaMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := readSlot(bytes.NewReader(data)); err == nil && len(data) < metaHead {
			t.Fatal("a slot out of nothing")
		}
	})
}
