//go:build bench

package content

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/client"
	"slipway/agent/internal/imaging"
	"slipway/agent/wire"
)

// serveVariable names the folder that the child process serves: the appliance of the
// measurement is a process of its own, as curl and the agent are.
const serveVariable = "SLIPWAY_BENCH_SERVE"

const imageSize = 4 << 30

type place struct{ Address, CA string }

// TestImageServer is that child; by itself it does nothing.
func TestImageServer(t *testing.T) {
	dir := os.Getenv(serveVariable)
	if dir == "" {
		return
	}
	files, names := map[string][]byte{}, []string{"image.zst", "empty.holes"}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	s := newServer(t, files, names...)
	a, err := appliancetest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Content = s
	if err := json.NewEncoder(os.Stdout).Encode(place{a.Address, string(a.CAPEM())}); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
}

// plainDisk is a file as a disk, written past the page cache.
type plainDisk struct{ *os.File }

func (d plainDisk) Size() int64     { return imageSize }
func (d plainDisk) SectorSize() int { return 4096 }
func (d plainDisk) Zero(at, n int64) error {
	return unix.Fallocate(int(d.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n)
}
func (d plainDisk) Discard(at, n int64) error { return d.Zero(at, n) }

// makeImage writes 4 GiB: files of this machine, 3 blocks of zeros after each, until
// data bytes are reached; then zeros.
func makeImage(t *testing.T, w io.Writer, data int64) {
	t.Helper()
	tar := exec.CommandContext(t.Context(), "tar", "-C", "/usr", "-c", "lib", "bin", "share")
	out, err := tar.StdoutPipe()
	if err == nil {
		err = tar.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tar.Process.Kill(); _ = tar.Wait() }()
	block, zeros := make([]byte, 4<<20), make([]byte, 4<<20)
	for at := int64(0); at < imageSize; at += int64(len(block)) {
		p := zeros
		if at%(4*int64(len(block))) == 0 && at/4 < data {
			if _, err := io.ReadFull(out, block); err != nil {
				t.Fatal(err)
			}
			p = block
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

// holesWriter packs whole blocks as the appliance does at intake (wire.FormHoles).
type holesWriter struct {
	w io.Writer
	z *zstd.Encoder
}

func (h holesWriter) Write(p []byte) (int, error) {
	out := h.z.EncodeAll(p, nil)
	if len(out) < 1024 {
		out = binary.LittleEndian.AppendUint32(nil, 0x184d2a5b)
		out = binary.LittleEndian.AppendUint32(out, 8)
		out = binary.LittleEndian.AppendUint64(out, uint64(len(p)))
	}
	_, err := h.w.Write(out)
	return len(p), err
}

func run(t *testing.T, script string, args ...string) time.Duration {
	t.Helper()
	begin := time.Now()
	if out, err := exec.CommandContext(t.Context(), "bash", append([]string{"-euo", "pipefail", "-c", script, "-"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return time.Since(begin)
}

// peak is the most memory this process ever held, in MB.
func peak(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kb, _ := strconv.Atoi(f[1])
			return kb >> 10
		}
	}
	return -1
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// TestImageSpeed is `make bench-image`.
func TestImageSpeed(t *testing.T) {
	dir := t.TempDir()
	z := exec.CommandContext(t.Context(), "zstd", "-q", "-3", "-T0", "-o", dir+"/image.zst")
	in, err := z.StdinPipe()
	if err == nil {
		err = z.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	makeImage(t, in, 900<<20)
	if err := errors.Join(in.Close(), z.Wait()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(dir + "/empty.holes")
	if err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	makeImage(t, holesWriter{f, enc}, 64<<20)
	if err := errors.Join(f.Close(), enc.Close()); err != nil {
		t.Fatal(err)
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestImageServer$")
	child.Env = append(os.Environ(), serveVariable+"="+dir)
	hold, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Close(); _ = child.Wait() }()
	var at place
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err = errors.Join(err, json.Unmarshal(line, &at)); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(at.CA))
	c := client.New(client.Options{Address: at.Address, Installation: appliancetest.Installation, Roots: roots})
	defer c.Close()
	source := &Source{API: c, Deployment: "d"}
	m, err := source.Manifest(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}

	agent := func(ctx context.Context, file wire.ContentFile) time.Duration {
		disk, err := os.OpenFile(dir+"/disk", os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_DIRECT, 0o600)
		if err == nil {
			err = disk.Truncate(imageSize)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		begin := time.Now()
		r, err := source.Open(ctx, version, file.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		done, err := imaging.WriteRaw(ctx, r, plainDisk{disk}, imaging.RawOptions{Holes: file.Path == "empty.holes", Size: imageSize, Discard: true})
		if err != nil || done.Size != imageSize {
			t.Fatalf("%+v, %v", done, err)
		}
		return time.Since(begin)
	}
	var pipe, ours, empty, tarred, packed []time.Duration
	for round := range 3 {
		steps := []func(){
			func() {
				_ = os.Remove(dir + "/disk")
				pipe = append(pipe, run(t, `curl -sSfk -H 'If-Match: "`+m.Files[0].SHA256+`"' -H 'Range: bytes=0-' "https://$1/api/v1/content/i/2/image.zst" | zstd -dcq | dd of="$2" bs=4M iflag=fullblock conv=fsync status=none`, at.Address, dir+"/disk"))
				if round == 0 {
					run(t, `zstd -dcq "$1" | cmp - "$2"`, dir+"/image.zst", dir+"/disk")
				}
			},
			func() {
				ours = append(ours, agent(t.Context(), m.Files[0]))
				if round == 0 {
					run(t, `zstd -dcq "$1" | cmp - "$2"`, dir+"/image.zst", dir+"/disk")
				}
			},
			func() { empty = append(empty, agent(t.Context(), m.Files[1])) },
			func() {
				tarred = append(tarred, run(t, `tar -C "$1" -c . | zstd -q -T0 > "$2"; sync "$2"`, runtime.GOROOT(), dir+"/tree"))
			},
			func() {
				begin := time.Now()
				w, err := os.Create(dir + "/tree")
				if err == nil {
					_, err = imaging.Pack(t.Context(), runtime.GOROOT(), w, imaging.PackOptions{})
				}
				if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
					t.Fatal(err)
				}
				packed = append(packed, time.Since(begin))
			},
		}
		if round%2 == 1 {
			slices.Reverse(steps)
		}
		for _, s := range steps {
			s()
		}
	}
	ratio := func(peer, own []time.Duration) float64 { return median(peer).Seconds() / median(own).Seconds() }
	fmt.Printf("image: pipe %.2f s, agent %.2f s: %.2f of the pipe's rate (to reach: 0.95)\n", median(pipe).Seconds(), median(ours).Seconds(), ratio(pipe, ours))
	fmt.Printf("mostly empty image (64 MiB of data): agent %.2f s, %.2f of the full one's time\n", median(empty).Seconds(), median(empty).Seconds()/median(ours).Seconds())
	fmt.Printf("capture: tar | zstd -T0 %.2f s, agent %.2f s: %.2f of its rate (to reach: 1)\n", median(tarred).Seconds(), median(packed).Seconds(), ratio(tarred, packed))
	fmt.Printf("memory of the agent's side, highest: %d MB (at most: 200)\n", peak(t))
}
