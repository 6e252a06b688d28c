// Package toolpack fetches the tools that task sequences need and the sign-in does
// not: programs for file systems and WIM images. They come from the appliance after
// the sign-in, are the very ones that the boot image pins, and are kept in memory.
package toolpack

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"

	"slipway/agent/internal/client"
)

// Errors of tools.
var (
	ErrNone    = errors.New("this boot image was built without a tool pack: fetch the packages (slipway image fetch) and build it again")
	ErrDamaged = errors.New("the tool pack is not the one that this boot image names")
)

// maxPacked bounds a pack in memory; what is unpacked is bounded by the pin.
const maxPacked = 256 << 20

// Pin is /etc/slipway/tools.json: the pack that belongs to the boot image.
type Pin struct {
	Format   int    `json:"format"` // 1
	File     string `json:"file"`
	Size     int64  `json:"size"`
	Unpacked int64  `json:"unpacked"` // bytes of all files
	SHA256   string `json:"sha256"`   // hex
}

// LoadPin reads the pin below root (the image's "/"). ErrNone when there is none.
func LoadPin(root fs.FS) (Pin, error) {
	var p Pin
	text, err := fs.ReadFile(root, "etc/slipway/tools.json")
	if errors.Is(err, fs.ErrNotExist) {
		return p, ErrNone
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("read which tool pack belongs to this boot image: %w", err)
	case p.Format != 1:
		return p, fmt.Errorf("the description of the tool pack has format %d, this agent knows 1", p.Format)
	case p.Size <= 0 || p.Size > maxPacked:
		return p, fmt.Errorf("the tool pack is to have %d bytes", p.Size)
	}
	return p, nil
}

// Pack is the tool pack of the running boot image. Its zero value has none.
type Pack struct {
	Root  string // where it is unpacked: "/"
	Image string // id of the boot image
	Pin   Pin
	Err   error // why there is no Pin

	mu sync.Mutex
}

// API is what is asked of the appliance.
type API interface {
	Stream(ctx context.Context, method, path string, body io.Reader, size int64, headers ...string) (*http.Response, error)
}

// From is a pack that is fetched from an appliance.
type From struct {
	Pack *Pack
	API  API
}

// Need makes sure that the programs can be run: what is missing comes with the pack.
func (f From) Need(ctx context.Context, progress func(percent int, text string), programs ...string) error {
	p := f.Pack
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := p.missing(programs)
	if missing == "" {
		return nil
	}
	if p.Err != nil {
		return fmt.Errorf("%s is needed: %w", missing, p.Err)
	}
	var packed []byte
	var damaged error // another pack does not become right by asking again
	err := client.Retry(ctx, func(err error) { progress(-1, "Tools are waited for: "+client.Explain(err)) }, func(ctx context.Context) (err error) {
		if packed, err = f.fetch(ctx, progress); errors.Is(err, ErrDamaged) {
			damaged = err
			return nil
		}
		return err
	})
	if err = errors.Join(err, damaged); err != nil {
		return fmt.Errorf("fetch the tool pack of boot image %.12s: %w", p.Image, err)
	}
	progress(-1, "Unpacking tools")
	if err := unpack(packed, p.Root, p.Pin.Unpacked); err != nil {
		return fmt.Errorf("unpack the tool pack: %w", err)
	}
	if missing := p.missing(programs); missing != "" {
		return fmt.Errorf("the tool pack of this boot image holds no %s: rebuild the image", missing)
	}
	return nil
}

// incomplete is there while a pack is unpacked. One that is left tells of a pack that was
// not unpacked to its end: its programs may be cut off, or lack their libraries.
const incomplete = "etc/slipway/tools.incomplete"

// missing names the first program that is not there.
func (p *Pack) missing(programs []string) string {
	if _, err := os.Lstat(filepath.Join(p.Root, incomplete)); err == nil && len(programs) > 0 {
		return programs[0]
	}
	for _, name := range programs {
		if Find(p.Root, name) == "" {
			return name
		}
	}
	return ""
}

// Find returns the path of a program below root, or "".
func Find(root, name string) string {
	for _, dir := range []string{"usr/sbin", "usr/bin", "sbin", "bin"} {
		p := filepath.Join(root, dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p
		}
	}
	return ""
}

// fetch gets the whole pack and checks it before a byte of it is used.
func (f From) fetch(ctx context.Context, progress func(int, string)) ([]byte, error) {
	pin := f.Pack.Pin
	resp, err := f.API.Stream(ctx, http.MethodGet, "/api/v1/tools/"+url.PathEscape(f.Pack.Image), nil, 0)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	packed := bytes.NewBuffer(make([]byte, 0, pin.Size+bytes.MinRead))
	for packed.Len() <= int(pin.Size) {
		_, err := io.CopyN(packed, resp.Body, 1<<20)
		progress(int(100*int64(packed.Len())/pin.Size), "Fetching tools")
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(packed.Bytes())
	if int64(packed.Len()) != pin.Size || hex.EncodeToString(sum[:]) != pin.SHA256 {
		return nil, fmt.Errorf("%w: it has %d bytes with the hash %.12s, %d bytes with %.12s are wanted", ErrDamaged,
			packed.Len(), hex.EncodeToString(sum[:]), pin.Size, pin.SHA256)
	}
	return packed.Bytes(), nil
}

// unpack writes the pack's files below root; os.Root keeps them there.
func unpack(packed []byte, root string, limit int64) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer dir.Close()
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	if err := dir.MkdirAll(path.Dir(incomplete), 0o755); err != nil {
		return err
	}
	if err := dir.WriteFile(incomplete, nil, 0o600); err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir.Remove(incomplete)
		}
		if err != nil {
			return err
		}
		if limit -= h.Size; limit < 0 {
			return fmt.Errorf("%w: it is larger than it says", ErrDamaged)
		}
		if err := unpackOne(dir, h, r); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackOne(dir *os.Root, h *tar.Header, content io.Reader) error {
	if err := dir.MkdirAll(path.Dir(h.Name), 0o755); err != nil {
		return err
	}
	if err := dir.Remove(h.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return dir.Symlink(h.Linkname, h.Name)
	case tar.TypeReg:
		f, err := dir.OpenFile(h.Name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, fs.FileMode(h.Mode)&0o777)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	return fmt.Errorf("%w: an entry of the kind %q", ErrDamaged, h.Typeflag)
}
