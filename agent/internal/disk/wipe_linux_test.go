package disk

import (
	"errors"
	"os"
	"testing"
)

func TestWipeOverwritesAndVerifies(t *testing.T) {
	m, d := loopDisk(t, 40*mib+8*512, 512)
	full := make([]byte, d.Size)
	for i := range full {
		full[i] = byte(i) | 1
	}
	if err := os.WriteFile(d.Path, full, 0); err != nil {
		t.Fatal(err)
	}
	f, err := exclusive(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := zeroSamples(t.Context(), device{f, d.Size, 512}, 1, make([]byte, sampleBytes)); err == nil {
		t.Error("a full disk passed for wiped")
	}
	if _, err := m.Wipe(t.Context(), d.ID, WipeAuto, quietly); !errors.Is(err, ErrInUse) {
		t.Errorf("an opened disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, method := range []WipeMethod{WipeNVMe, WipeNVMeCrypto, WipeSanitize, WipeATA} {
		if _, err := m.Wipe(t.Context(), d.ID, method, quietly); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", method, err)
		}
	}
	r, err := m.Wipe(t.Context(), d.ID, WipeAuto, quietly)
	if err != nil || r.Method != WipeOverwrite || r.Samples < 3 || r.Seed == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	got, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if b != 0 {
			t.Fatalf("byte %d is left", i)
		}
	}
}
