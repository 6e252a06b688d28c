package diskimage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/wire"
)

// disk makes a disk of data, zeros and text, with an odd end.
func disk(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []byte
	for len(out) < 12<<20 {
		part := make([]byte, 1+r.IntN(700_000))
		switch r.IntN(3) {
		case 0:
			for i := range part {
				part[i] = byte(r.Uint32())
			}
		case 1:
			copy(part, bytes.Repeat([]byte("the same again; "), len(part)/16))
		}
		out = append(out, part...)
	}
	out = append(out, make([]byte, 9<<20)...)
	return append(out[:len(out)-len(out)%512], bytes.Repeat([]byte{7}, 512)...)
}

// unpack reads wire.FormHoles with nothing but its description.
func unpack(t *testing.T, form []byte) (out []byte, holes int) {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for len(form) > 0 {
		if len(form) >= 16 && binary.LittleEndian.Uint32(form) == 0x184D2A5B {
			if binary.LittleEndian.Uint32(form[4:]) != 8 {
				t.Fatal("a hole whose content is not 8 bytes")
			}
			out = append(out, make([]byte, binary.LittleEndian.Uint64(form[8:]))...)
			form, holes = form[16:], holes+1
			continue
		}
		var h zstd.Header
		if err := h.Decode(form); err != nil || !h.HasFCS || h.FrameContentSize > wire.ChunkSize {
			t.Fatalf("frame of %d bytes, %v", h.FrameContentSize, err)
		}
		n := frameLength(t, form, h)
		part, err := d.DecodeAll(form[:n], nil)
		if err != nil {
			t.Fatal(err)
		}
		out, form = append(out, part...), form[n:]
	}
	return out, holes
}

// frameLength walks the blocks of a frame (RFC 8878, 3.1.1).
func frameLength(t *testing.T, p []byte, h zstd.Header) int {
	t.Helper()
	n := h.HeaderSize
	for {
		b := uint32(p[n]) | uint32(p[n+1])<<8 | uint32(p[n+2])<<16
		n += 3
		if b>>1&3 == 1 {
			n++
		} else {
			n += int(b >> 3)
		}
		if b&1 == 1 {
			break
		}
	}
	if h.HasCheckSum {
		n += 4
	}
	return n
}

func convert(t *testing.T, img Image) []byte {
	t.Helper()
	var form bytes.Buffer
	passed := int64(0)
	if err := WriteHoles(t.Context(), img, &form, func(n int64) { passed += n }); err != nil {
		t.Fatal(err)
	}
	if passed != img.Size() {
		t.Errorf("progress of %d bytes, the disk has %d", passed, img.Size())
	}
	return form.Bytes()
}

func TestRawImages(t *testing.T) {
	want := disk(1)
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(len(want))); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(want); at += 4096 { // zeros stay holes of the file
		if block := want[at:min(at+4096, len(want))]; len(bytes.Trim(block, "\x00")) > 0 {
			if _, err := f.WriteAt(block, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	img, err := OpenRaw(f)
	if err != nil {
		t.Fatal(err)
	}
	form := convert(t, img)
	got, holes := unpack(t, form)
	if !bytes.Equal(got, want) || holes == 0 || len(form) > len(want)/2 {
		t.Errorf("%d of %d bytes, %d holes, form of %d bytes", len(got), len(want), holes, len(form))
	}
	empty, err := os.Create(filepath.Join(t.TempDir(), "empty"))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if err := empty.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	if img, err = OpenRaw(empty); err != nil {
		t.Fatal(err)
	}
	if form := convert(t, img); len(form) != 16 {
		t.Errorf("1 TiB of nothing takes %d bytes", len(form))
	}
}

// TestQCOW2 compares with what qemu-img writes (package qemu-utils).
func TestQCOW2(t *testing.T) {
	dir := t.TempDir()
	want := disk(2)
	raw := filepath.Join(dir, "raw")
	if err := os.WriteFile(raw, want, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, options := range [][]string{
		{"-o", "compat=1.1"},
		{"-o", "compat=0.10"},
		{"-c"},
		{"-c", "-o", "compression_type=zstd"},
		{"-o", "cluster_size=512"},
		{"-c", "-o", "cluster_size=2M,compression_type=zstd"},
		{"-o", "preallocation=metadata"},
	} {
		path := filepath.Join(dir, fmt.Sprint(i))
		args := append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, options...), raw, path)
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img %v: %v %s", args, err, out)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		img, err := OpenQCOW2(f, info.Size(), 1<<30)
		if err != nil {
			t.Fatalf("%v: %v", options, err)
		}
		if got, _ := unpack(t, convert(t, img)); !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes of %d, or others", options, len(got), len(want))
		}
		img.Close()
	}
	backed := filepath.Join(dir, "backed")
	if out, err := exec.Command("qemu-img", "create", "-f", "qcow2", "-F", "raw", "-b", raw, backed).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	text, err := os.ReadFile(backed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenQCOW2(bytes.NewReader(text), int64(len(text)), 1<<30); !errors.Is(err, ErrFormat) {
		t.Errorf("with a backing file: %v", err)
	}
	plain, err := os.ReadFile(filepath.Join(dir, "0"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenQCOW2(bytes.NewReader(plain), int64(len(plain)), 1<<20); !errors.Is(err, ErrFormat) {
		t.Errorf("larger than allowed: %v", err)
	}
	short := plain[:len(plain)/2]
	img, err := OpenQCOW2(bytes.NewReader(short), int64(len(short)), 1<<30)
	if err == nil {
		err = WriteHoles(t.Context(), img, io.Discard, nil)
	}
	if !errors.Is(err, ErrFormat) {
		t.Errorf("cut off: %v", err)
	}
}

func FuzzQCOW2(f *testing.F) {
	valid := make([]byte, 4<<10)
	copy(valid, QCOW2Magic)
	for at, v := range map[int]uint32{4: 3, 20: 9, 28: 64 << 10, 36: 4, 44: 1024, 100: 112} {
		binary.BigEndian.PutUint32(valid[at:], v)
	}
	binary.BigEndian.PutUint64(valid[1024:], 2048)
	binary.BigEndian.PutUint64(valid[2048:], 3072)
	binary.BigEndian.PutUint64(valid[2056:], entryCompressed|3000)
	f.Add(valid)
	f.Add(valid[:72])
	f.Fuzz(func(t *testing.T, text []byte) {
		img, err := OpenQCOW2(bytes.NewReader(text), int64(len(text)), 1<<20)
		if err != nil {
			return
		}
		defer img.Close()
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		count := io.Discard
		if err := WriteHoles(ctx, img, count, nil); err == nil && img.Size() > 1<<20 {
			t.Errorf("a disk of %d bytes", img.Size())
		}
	})
}
