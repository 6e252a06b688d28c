package xz

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

func pack(t *testing.T, data []byte, c xz.WriterConfig) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := c.NewWriter(&out)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAStreamThatIsCut: wherever a stream of several blocks is cut, also where the next
// block would begin, it is not taken for whole.
func TestAStreamThatIsCut(t *testing.T) {
	data := make([]byte, 3000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	packed := pack(t, data, xz.WriterConfig{BlockSize: 1000, DictCap: 1 << 16})
	for cut := range len(packed) + 1 {
		r, err := NewReader(bytes.NewReader(packed[:cut]), 1<<20)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r)
		}
		switch {
		case cut == len(packed) && (err != nil || !bytes.Equal(got, data)):
			t.Fatalf("the whole stream: %d bytes, %v", len(got), err)
		case cut < len(packed) && err == nil:
			t.Errorf("cut at %d of %d: %d bytes and no error", cut, len(packed), len(got))
		}
	}
	two := append(bytes.Clone(packed), 0, 0, 0, 0)
	two = append(two, packed...)
	r, err := NewReader(bytes.NewReader(two), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || len(got) != 2*len(data) {
		t.Errorf("two streams with padding between: %d bytes, %v", len(got), err)
	}
}

// TestALargeDictionary: a small file cannot make the reader allocate gigabytes.
func TestALargeDictionary(t *testing.T) {
	packed := pack(t, []byte("hello"), xz.WriterConfig{DictCap: 1 << 28})
	if _, err := NewReader(bytes.NewReader(packed), 64<<20); err == nil || !strings.Contains(err.Error(), "dictionary of 256 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := NewReader(bytes.NewReader(packed), 256<<20); err != nil {
		t.Errorf("as much as is allowed: %v", err)
	}
}

// FuzzNewReader: whatever a file holds, reading it ends without a panic, and what comes
// out whole has come from a whole stream.
func FuzzNewReader(f *testing.F) {
	var packed bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: 100, DictCap: 1 << 16}.NewWriter(&packed)
	if err == nil {
		_, err = w.Write(bytes.Repeat([]byte("slipway "), 40))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed.Bytes())
	f.Add(packed.Bytes()[:packed.Len()/2])
	f.Add([]byte("\xfd7zXZ\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		const most = 8 << 20
		if n, err := io.Copy(io.Discard, io.LimitReader(r, most)); err == nil && n < most && !bytes.Contains(data, []byte("YZ")) {
			t.Error("no footer, and no error")
		}
	})
}
