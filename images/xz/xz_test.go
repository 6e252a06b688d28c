package xz

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

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

// TestALargeDictionaryLater: nor can one whose first block is harmless, in a later block
// or in a stream behind the first.
func TestALargeDictionaryLater(t *testing.T) {
	data := make([]byte, 3000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	good := pack(t, data, xz.WriterConfig{BlockSize: 1000, DictCap: 1 << 16})
	large := func(at int) []byte { // the block whose header is there asks for 1 GiB
		b := bytes.Clone(good)
		h := b[at : at+(int(b[at])+1)*4]
		i := bytes.Index(h, []byte{lzma2, 1})
		h[i+2] = 36
		binary.LittleEndian.PutUint32(h[len(h)-4:], crc32.ChecksumIEEE(h[:len(h)-4]))
		return b
	}
	second := Edge + 4 + bytes.Index(good[Edge+4:], good[Edge:Edge+4]) // headers of blocks begin alike
	for name, b := range map[string][]byte{"first block": large(Edge), "second block": large(second), "second stream": append(bytes.Clone(good), large(Edge)...)} {
		r, err := NewReader(bytes.NewReader(b), 64<<20)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err == nil || !strings.Contains(err.Error(), "dictionary of 1024 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatXZMakes: the program's streams are read, with each of its checks, and a changed
// byte never gives other content.
func TestWhatXZMakes(t *testing.T) {
	data := []byte(strings.Repeat("what is packed, and packed again; ", 200))
	for _, args := range []string{"--check=none", "--check=crc32", "--check=crc64", "--check=sha256", "--check=crc64 --block-size=1000", "--check=crc32 --block-size=1000 --threads=2"} {
		for _, content := range [][]byte{data, nil} {
			cmd := exec.Command("xz", append(strings.Fields(args), "--stdout", "--lzma2=preset=0,dict=64KiB")...)
			cmd.Stdin = bytes.NewReader(content)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			read := func(b []byte) ([]byte, error) {
				r, err := NewReader(iotest.OneByteReader(bytes.NewReader(b)), 64<<20)
				if err != nil {
					return nil, err
				}
				return io.ReadAll(r)
			}
			if got, err := read(packed); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes, %v", args, len(got), err)
			}
			if args == "--check=none" {
				continue // nothing tells of a change in the data
			}
			for i := 0; i < len(packed); i += 7 {
				b := bytes.Clone(packed)
				b[i] ^= 0x10
				if got, err := read(b); err == nil && !bytes.Equal(got, content) {
					t.Errorf("%s: byte %d of %d changed: %d bytes and no error", args, i, len(packed), len(got))
				}
			}
		}
	}
	packed, err := exec.Command("sh", "-c", "echo hello | xz --stdout --x86 --lzma2").Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(bytes.NewReader(packed), 64<<20); err == nil || !strings.Contains(err.Error(), "filters") {
		t.Errorf("another filter: %v", err)
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
