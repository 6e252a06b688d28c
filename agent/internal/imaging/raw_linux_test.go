package imaging

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
)

func target(t *testing.T, size int64) disk.Target {
	t.Helper()
	d := disktest.New(t, disk.Disk{ID: "d", Name: "sda", Size: size})
	o, err := d.Open(t.Context(), "d", disk.OpenOptions{Direct: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	// What was there before must not shine through.
	if _, err := o.WriteAt(bytes.Repeat([]byte{0xee}, int(size)), 0); err != nil {
		t.Fatal(err)
	}
	return o
}

// image is a disk image with runs of zeros of many lengths.
func image(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	p := make([]byte, size)
	for at := 0; at < size; {
		n := min(size-at, 1+r.IntN(3*BlockSize))
		if r.IntN(2) == 0 {
			for i := at; i < at+n; i++ {
				p[i] = byte(i * 7 >> 3)
			}
		}
		at += n
	}
	return p
}

// withHoles packs an image as wire.FormHoles, cut at odd places.
func withHoles(t testing.TB, p []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out []byte
	for len(p) > 0 {
		n := 0
		for n < len(p) && p[n] == 0 {
			n++
		}
		if n >= 5000 {
			out = binary.LittleEndian.AppendUint32(out, magicHole)
			out = binary.LittleEndian.AppendUint32(out, 8)
			out = binary.LittleEndian.AppendUint64(out, uint64(n))
		} else {
			n = min(len(p), 1<<20)
			if i := bytes.Index(p[:n], make([]byte, 5000)); i > 0 {
				n = i
			}
			out = z.EncodeAll(p[:n], out)
		}
		p = p[n:]
	}
	return out
}

func TestRawImagesInAllForms(t *testing.T) {
	const size = 20 << 20
	for seed := range uint64(2) {
		p := image(seed, 13<<20+int(seed)*1000)
		for _, form := range []string{Plain, Gzip, Zip, Zstd, "holes"} {
			o, data := target(t, size), []byte(nil)
			options := RawOptions{Verify: true}
			if form == "holes" {
				options.Holes, options.Size, data = true, int64(len(p)), withHoles(t, p)
			} else {
				data = pack(t, form, p)
			}
			done, err := WriteRaw(t.Context(), bytes.NewReader(data), o, options)
			if err != nil || done.Size != int64(len(p)) {
				t.Fatalf("%s, seed %d: %+v, %v", form, seed, done, err)
			}
			got := make([]byte, len(p)/512*512)
			if _, err := o.ReadAt(got, 0); err != nil || !bytes.Equal(got, p[:len(got)]) {
				t.Errorf("%s, seed %d: the disk holds something else, %v", form, seed, err)
			}
			after := make([]byte, 4096)
			if _, err := o.ReadAt(after, size-4096); err != nil || after[0] != 0xee {
				t.Errorf("%s, seed %d: written behind the image", form, seed)
			}
		}
	}
}

// TestARawImageOfSeveralFrames: zstd's tools for parallel packing and seeking write many
// frames; the size of the first is not the image's.
func TestARawImageOfSeveralFrames(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	p := image(3, 6<<20)
	packed := z.EncodeAll(p[3<<20:], z.EncodeAll(p[:3<<20], nil))
	d := target(t, 8<<20)
	done, err := WriteRaw(t.Context(), bytes.NewReader(packed), d, RawOptions{Verify: true})
	if err != nil || done.Size != int64(len(p)) {
		t.Fatalf("%+v, %v", done, err)
	}
	got := make([]byte, len(p))
	if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, p) {
		t.Errorf("the disk holds something else, %v", err)
	}
}

// faulty is a disk that fails or lies.
type faulty struct {
	disk.Target
	failAt int64
	lieAt  int64
}

func (f faulty) WriteAt(p []byte, at int64) (int, error) {
	if f.failAt > 0 && at+int64(len(p)) > f.failAt {
		return 0, errors.New("input/output error")
	}
	if f.lieAt > 0 && at <= f.lieAt && f.lieAt < at+int64(len(p)) {
		p = append([]byte(nil), p...)
		p[f.lieAt-at] ^= 1
	}
	return f.Target.WriteAt(p, at)
}

func TestRawImageErrors(t *testing.T) {
	const size = 16 << 20
	p := bytes.Repeat([]byte("x"), size)
	known := func(data []byte) []byte { // a zstd frame that tells its size
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		return z.EncodeAll(data, nil)
	}
	for name, tt := range map[string]struct {
		data  []byte
		disk  func(disk.Target) disk.Target
		o     RawOptions
		want  string
		clean bool // nothing may have been written
	}{
		"larger, by its header": {data: known(append(p, 1)), want: "nothing was written", clean: true},
		"larger, as was said":   {data: p, o: RawOptions{Size: size + 512}, want: "nothing was written", clean: true},
		"larger, unknown":       {data: pack(t, Gzip, append(p, 1)), want: "partly overwritten"},
		"a hole too long":       {data: withHoles(t, make([]byte, size+1)), o: RawOptions{Holes: true}, want: "does not fit"},
		"fails":                 {data: p, disk: func(d disk.Target) disk.Target { return faulty{Target: d, failAt: 9 << 20} }, want: " MB: input/output error"}, /* of two writers, either may meet it first */
		"lies":                  {data: p, o: RawOptions{Verify: true}, disk: func(d disk.Target) disk.Target { return faulty{Target: d, lieAt: 9 << 20} }, want: "does not hold what was written"},
		"cut":                   {data: pack(t, Zstd, image(1, size))[:2000], want: "read the image"},
		"shorter than said":     {data: p, o: RawOptions{Size: size - 1, Holes: false}, want: "16777215"},
		"no image with holes":   {data: p, o: RawOptions{Holes: true}, want: "no image with holes"},
	} {
		t.Run(name, func(t *testing.T) {
			d := target(t, size)
			to := d
			if tt.disk != nil {
				to = tt.disk(d)
			}
			_, err := WriteRaw(t.Context(), bytes.NewReader(tt.data), to, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			first := make([]byte, 512)
			if _, err := d.ReadAt(first, 0); err != nil || tt.clean && first[0] != 0xee {
				t.Errorf("first byte %x, %v", first[0], err)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	n := 0
	endless := readerFunc(func(b []byte) (int, error) {
		if n++; n == 20 {
			cancel(errors.New("stopped"))
		}
		b[0] = 1
		return len(b), nil
	})
	if _, err := WriteRaw(ctx, endless, target(t, 1<<30>>3), RawOptions{}); err == nil || err.Error() != "stopped" {
		t.Errorf("got %v", err)
	}
}

func FuzzHoles(f *testing.F) {
	f.Add(withHoles(f, image(1, 100_000)))
	f.Add(withHoles(f, make([]byte, 100_000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := newHoles(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer h.close()
		p := make([]byte, 64<<10)
		for range 1000 {
			n, zeros, err := h.next(p)
			if err != nil {
				break
			}
			if n > len(p) || zeros < 0 || n > 0 && zeros > 0 || n == 0 && zeros == 0 {
				t.Fatalf("%d bytes, %d zeros", n, zeros)
			}
		}
	})
}
