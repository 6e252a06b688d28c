package secrets

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"testing"
)

var updateGolden = flag.Bool("update", false, "write the golden file of the sealed format")

// testRing has two keys of known bytes, and counts instead of random nonces.
func testRing(t testing.TB) *Keyring {
	t.Helper()
	ring := newKeyring()
	for i := byte(1); i <= 2; i++ {
		if err := ring.add(keyID{0, 0, 0, i}, bytes.Repeat([]byte{i}, keySize), i == 2); err != nil {
			t.Fatal(err)
		}
	}
	return ring
}

func TestSealAndOpen(t *testing.T) {
	ring := testRing(t)
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("long"), 10000)} {
		sealed, err := ring.Seal(plain, "ca-key")
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 8 && bytes.Contains(sealed, plain[:8]) {
			t.Error("the value is readable")
		}
		got, err := ring.Open(sealed, "ca-key")
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opened %d of %d bytes: %v", len(got), len(plain), err)
		}
		again, err := ring.Seal(plain, "ca-key")
		if err != nil || bytes.Equal(again, sealed) {
			t.Errorf("sealed twice the same: %v", err)
		}
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	ring := testRing(t)
	sealed, err := ring.Seal([]byte("value"), "ca-key")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for bit := range 8 {
			broken := bytes.Clone(sealed)
			broken[i] ^= 1 << bit
			if got, err := ring.Open(broken, "ca-key"); err == nil || got != nil {
				t.Fatalf("byte %d bit %d flipped: opened", i, bit)
			}
		}
		if _, err := ring.Open(sealed[:i], "ca-key"); err == nil {
			t.Fatalf("cut to %d bytes: opened", i)
		}
	}
	for _, purpose := range []string{"ca-key2", "ca-ke", "variable"} {
		if _, err := ring.Open(sealed, purpose); !errors.Is(err, ErrSealed) {
			t.Errorf("purpose %q: %v", purpose, err)
		}
	}
	if _, err := ring.Open(sealed, ""); !errors.Is(err, ErrPurpose) {
		t.Errorf("no purpose: %v", err)
	}
	if _, err := ring.Seal(nil, ""); !errors.Is(err, ErrPurpose) {
		t.Errorf("sealing without a purpose: %v", err)
	}
	sealed[0]++
	if _, err := ring.Open(sealed, "ca-key"); !errors.Is(err, ErrNewer) {
		t.Errorf("newer format: %v", err)
	}
}

// An older data key still opens what it sealed; it seals nothing new.
func TestAnOlderKeyOpensOnly(t *testing.T) {
	ring := testRing(t)
	old, err := ring.seal(keyID{0, 0, 0, 1}, []byte("old"), "p")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Open(old, "p"); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	fresh, err := ring.Seal([]byte("new"), "p")
	if err != nil || keyID(fresh[1:headSize]) != ring.set.Load().active {
		t.Errorf("sealed with key %x: %v", fresh[1:headSize], err)
	}
}

// The sealed format was released: it must open for ever, and stay as it is.
func TestGoldenSealedValue(t *testing.T) {
	const path = "testdata/sealed-1.bin"
	ring := testRing(t)
	ring.random = bytes.NewReader([]byte("a nonce of 24 bytes here"))
	got, err := ring.Seal([]byte("sealed by version 1"), "golden")
	if err != nil {
		t.Fatal(err)
	}
	if *updateGolden {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, got, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the format changed: was %x, is %x", want, got)
	}
	if plain, err := ring.Open(want, "golden"); err != nil || string(plain) != "sealed by version 1" {
		t.Errorf("%q, %v", plain, err)
	}
}

func FuzzOpen(f *testing.F) {
	ring := testRing(f)
	sealed, err := ring.Seal([]byte("x"), "p")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(sealed[:overhead-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, err := ring.Open(data, "p"); err == nil {
			t.Fatalf("forged: %q", plain)
		}
	})
}
