package bzimage

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

func tool(t testing.TB) *Tool {
	t.Helper()
	x, err := FindTool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func bytesOf(t testing.TB, k bootimagetest.BzImage) []byte {
	t.Helper()
	b, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The packed kernel differs from the original in the payload, its size, the signature
// and the checksums, and nowhere else. What xz makes of the new payload is the old one
// without its zeros.
func TestRepack(t *testing.T) {
	k := bootimagetest.BzImage{}
	kernel := bytesOf(t, k)
	before := bytes.Clone(kernel)
	got, err := Repack(t.Context(), kernel, tool(t).Pack)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kernel, before) {
		t.Error("the original was changed")
	}
	was, err := parse(kernel)
	if err != nil {
		t.Fatal(err)
	}
	is, err := parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(was.raw) || is.start != was.start || is.length != was.length {
		t.Errorf("%d bytes, payload of %d at %d", len(got), is.length, is.start)
	}
	path := filepath.Join(t.TempDir(), "payload.xz")
	if err := os.WriteFile(path, is.payload, 0o644); err != nil {
		t.Fatal(err)
	}
	unpacked, err := exec.CommandContext(t.Context(), "xz", "--decompress", "--stdout", path).Output()
	if err != nil {
		t.Fatalf("xz does not read the payload: %v", err)
	}
	raw := k.Payload()
	want := append(bytes.Clone(raw[:bootimagetest.BzZeros]), bootimagetest.Relocations...)
	size := want[64+56+programFileSize:]
	binary.LittleEndian.PutUint64(size, bootimagetest.BzZeros-bootimagetest.BzLast)
	clear(want[elfSectionOffset : elfSectionOffset+8])
	clear(want[elfSectionCount:64])
	if !bytes.Equal(unpacked, want) || is.unpacked != len(want) {
		t.Errorf("unpacked %d bytes, want %d, the header says %d", len(unpacked), len(want), is.unpacked)
	}
	sum := len(got) - 4
	if binary.LittleEndian.Uint32(got[sum:]) != ^crc32.ChecksumIEEE(got[:sum]) {
		t.Error("the checksum of the file does not hold")
	}
	const pe = 0x80 + 24 // where the small kernel has its PE32+ header
	if len(bytes.Trim(got[pe+112+4*8:][:8], "\x00")) != 0 || len(bytes.Trim(got[pe+64:][:4], "\x00")) != 0 {
		t.Error("the kernel points to a signature that is gone")
	}
	for _, b := range [][]byte{got, was.raw} { // of what is expected to differ
		clear(b[is.start : is.start+is.length])
		clear(b[is.lengthAt : is.lengthAt+4])
		clear(b[len(b)-4:])
	}
	dropSignature(was.raw)
	if !bytes.Equal(got, was.raw) {
		t.Error("more than payload, size, checksum and signature differs")
	}
	again, err := Repack(t.Context(), before, tool(t).Pack)
	if err != nil || bytes.Equal(again, got) { // got was cleared above
		t.Fatal(err)
	}
	if third, err := Repack(t.Context(), before, tool(t).Pack); err != nil || !bytes.Equal(again, third) {
		t.Errorf("packed twice: other bytes, or %v", err)
	}
}

// Kernels that are not as expected are refused, each for its reason.
func TestUnknownKernels(t *testing.T) {
	for name, c := range map[string]struct {
		kernel bootimagetest.BzImage
		want   string
	}{
		"old protocol":      {bootimagetest.BzImage{Version: 0x207}, "boot protocol 2.07"},
		"other compression": {bootimagetest.BzImage{XZ: []string{"--format=lzma"}}, "payload is not xz"},
		"other check":       {bootimagetest.BzImage{XZ: []string{"--check=crc64"}}, "xz check of type 4"},
		"other filter":      {bootimagetest.BzImage{XZ: []string{"--check=none", "--arm", "--lzma2"}}, "xz filters"},
		"size unknown":      {bootimagetest.BzImage{NoLength: true}, "the unpacked size is not where"},
		"no zeros":          {bootimagetest.BzImage{BSS: ".sbss"}, "no zeros in the payload"},
		"not zeros":         {bootimagetest.BzImage{Dirty: true}, "zeros at 0xa00"},
		"no room":           {bootimagetest.BzImage{InitSize: 1 << 20}, "no room to unpack"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Repack(t.Context(), bytesOf(t, c.kernel), tool(t).Pack); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// A packer that gives other bytes than those it got is found out.
func TestBadPackerIsNoticed(t *testing.T) {
	kernel := bytesOf(t, bootimagetest.BzImage{})
	x := tool(t)
	for name, pack := range map[string]Packer{
		"other code": func(ctx context.Context, b []byte, x86 bool, d int) ([]byte, error) {
			b = bytes.Clone(b)
			b[len(b)/2] ^= 1
			return x.Pack(ctx, b, x86, d)
		},
		"too short": func(ctx context.Context, b []byte, x86 bool, d int) ([]byte, error) {
			return x.Pack(ctx, b[:len(b)-1], x86, d)
		},
		"no filter": func(ctx context.Context, b []byte, _ bool, d int) ([]byte, error) {
			return x.Pack(ctx, b, false, d)
		},
		"nothing": func(context.Context, []byte, bool, int) ([]byte, error) { return nil, nil },
	} {
		if _, err := Repack(t.Context(), kernel, pack); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := func(_ context.Context, b []byte, _ bool, _ int) ([]byte, error) { return make([]byte, len(b)), nil }
	if _, err := Repack(t.Context(), kernel, large); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "packed again it has") {
		t.Errorf("a payload that does not fit: %v", err)
	}
	broken := errors.New("broken")
	if _, err := Repack(t.Context(), kernel, func(context.Context, []byte, bool, int) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) || errors.Is(err, ErrUnknown) {
		t.Errorf("a packer that fails: %v", err)
	}
	if _, err := x.Pack(t.Context(), nil, false, 1); err == nil || !strings.Contains(err.Error(), "xz: ") {
		t.Errorf("a dictionary of one byte: %v", err)
	}
}

// Truncated and changed kernels are refused, or what is unpacked is right all the same.
func TestDamagedKernels(t *testing.T) {
	kernel := bytesOf(t, bootimagetest.BzImage{})
	i, err := parse(kernel)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 100, headerEnd - 1, headerEnd, len(i.raw) - 1} {
		if _, err := parse(kernel[:n]); !errors.Is(err, ErrUnknown) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := range i.payload {
		if at%97 != 0 && at > 40 && at < len(i.payload)-40 {
			continue
		}
		b := bytes.Clone(i.payload)
		b[at] ^= 0x55
		// Some bytes say what is known without them, e.g. the index's checksum.
		if got, err := unpack(b, i.unpacked); !errors.Is(err, ErrUnknown) && !bytes.Equal(got, bootimagetest.BzImage{}.Payload()) {
			t.Errorf("byte %d of the payload changed: %v", at, err)
		}
	}
	if _, err := unpack(i.payload, i.unpacked-1); !errors.Is(err, ErrUnknown) {
		t.Errorf("a payload larger than said: %v", err)
	}
}

// Offsets that lead out of the file, or into what is left out, are refused.
func TestOddOffsets(t *testing.T) {
	le := binary.LittleEndian
	for name, change := range map[string]func([]byte) []byte{
		".text at the end of numbers": func(b []byte) []byte {
			text := b[le.Uint64(b[elfSectionOffset:])+64:] // the second entry of the section table
			le.PutUint64(text[24:], 1<<63-1)
			le.PutUint64(text[32:], 1)
			return b
		},
		"program headers behind the zeros": func(b []byte) []byte {
			headers := bytes.Clone(b[64 : 64+3*programHeader])
			le.PutUint64(b[elfProgramOffset:], uint64(len(b)))
			return append(b, headers...)
		},
	} {
		raw := change(bootimagetest.BzImage{}.Payload())
		l, err := readLayout(raw)
		if err == nil {
			t.Errorf("%s: %+v", name, l)
			continue
		}
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is read of an ELF file may say anything.
func FuzzLayout(f *testing.F) {
	f.Add(bootimagetest.BzImage{}.Payload())
	f.Add(bootimagetest.BzImage{Dirty: true}.Payload())
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := readLayout(raw)
		if err != nil {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%v", err)
			}
			return
		}
		small := cut(raw, l)
		if len(small) > len(raw) || l.text > l.textEnd || l.textEnd > l.zeros {
			t.Errorf("%d bytes of %d: %+v", len(small), len(raw), l)
		}
		if _, err := elf.NewFile(bytes.NewReader(small)); err != nil {
			t.Errorf("what is left is no ELF file: %v", err)
		}
	})
}

// What is read of a kernel may say anything.
func FuzzKernel(f *testing.F) {
	kernel := bytesOf(f, bootimagetest.BzImage{})
	f.Add(kernel)
	f.Add(kernel[:headerEnd])
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := parse(b)
		if err == nil {
			var raw []byte
			if raw, err = unpack(i.payload, min(i.unpacked, 1<<20)); len(raw) > 1<<20 {
				t.Errorf("%d bytes", len(raw))
			}
			if _, err := i.replace(i.payload[:8], 1); err != nil && !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
		if err != nil && !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}
