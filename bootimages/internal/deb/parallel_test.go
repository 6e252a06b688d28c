package deb

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/ulikunitz/xz"
)

// blocksOf compresses into blocks of the given size, as xz -T does.
func blocksOf(t testing.TB, content []byte, block int64) []byte {
	var b bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: block, DictCap: 1 << 16}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(20))
	}
	return b
}

func TestParallelXZ(t *testing.T) {
	for _, size := range []int{20_001, 64_000, 100_003} {
		content := noise(size)
		z := blocksOf(t, content, 10_000)
		r, err := parallelXZ(bytes.NewReader(z), int64(len(z)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes became %d, error %v", size, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	one := blocksOf(t, noise(100), 10_000)
	if _, err := parallelXZ(bytes.NewReader(one), int64(len(one))); err != errSerial {
		t.Errorf("one block: %v", err)
	}
}

// A reader that is left early must not leave workers behind: Close waits for them.
func TestParallelXZClosesEarly(t *testing.T) {
	z := blocksOf(t, noise(200_000), 10_000)
	r, err := parallelXZ(bytes.NewReader(z), int64(len(z)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// A stream that is cut where a block begins, or inside a block's header, is not a
// shorter good one.
func TestXZCutAtABlock(t *testing.T) {
	content := noise(5000)
	good := blocksOf(t, content, 1000)
	_, blocks, err := xzIndex(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		for _, cut := range []int64{0, 1, 2, 12} {
			r, err := decompress(bytes.NewReader(good[:b.offset+cut]), "data.tar.xz")
			if err != nil {
				continue
			}
			if got, err := io.ReadAll(r); err == nil {
				t.Errorf("cut at %d: %d bytes and no error", b.offset+cut, len(got))
			}
		}
	}
	r, err := decompress(bytes.NewReader(append(good, 0, 0, 0, 0)), "data.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("padded: %d bytes, %v", len(got), err)
	}
	// The size of a block's header says more than there is.
	long := bytes.Clone(good)
	long[blocks[0].offset] = 0xe1
	p, err := parallelXZ(bytes.NewReader(long), int64(len(long)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got, err := io.ReadAll(p); err == nil {
		t.Errorf("header longer than its block: %d bytes and no error", len(got))
	}
}

// A footer may say that the index has four bytes, too few for one.
func TestTooSmallAnIndex(t *testing.T) {
	z := []byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01YZ")
	if _, err := parallelXZ(bytes.NewReader(z), int64(len(z))); !errors.Is(err, errSerial) {
		t.Errorf("%v", err)
	}
}

// Damage anywhere is an error or makes the stream one for the serial reader; it
// never gives other bytes.
func FuzzParallelXZ(f *testing.F) {
	content := noise(5000)
	good := blocksOf(f, content, 1000)
	f.Add(100, byte(1))
	f.Add(len(good)-20, byte(0x80))
	f.Add(3000, byte(0xff))
	f.Add(xzEdge, byte(0xe3)) // a block header longer than all that follows
	f.Fuzz(func(t *testing.T, at int, flip byte) {
		z := bytes.Clone(good)
		if flip != 0 {
			z[((at%len(z))+len(z))%len(z)] ^= flip
		}
		r, err := parallelXZ(bytes.NewReader(z), int64(len(z)))
		if err != nil {
			return
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, content) {
			t.Fatalf("damage at %d (%#x) went unnoticed", at, flip)
		}
	})
}
