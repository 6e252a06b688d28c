package bootimages

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"compress/gzip"

	"github.com/klauspost/compress/zstd"

	"slipway/bootimages/internal/deb"
	"slipway/bootimages/internal/kmod"
	"slipway/images/xz"
)

// maxModule bounds one module in memory; the largest in Debian's kernel 6.1
// (amdgpu) has 13 MB.
const maxModule = 64 << 20

// maxWindow bounds what a compressed module may make the unpacking remember, in bytes:
// twice what xz -9 uses.
const maxWindow = 128 << 20

// kernel is an unpacked kernel package. The modules lie in one spool file,
// because which ones are needed is known only after all have been read.
type kernel struct {
	release string
	builtin []byte // modules.builtin
	modules []*kmod.Module
	spans   map[string]span // by module path
	spool   *os.File
	size    int64
	buffer  bytes.Buffer // of the module being read
}

type span struct{ offset, size int64 }

var modulePath = regexp.MustCompile(`^(?:usr/)?lib/modules/([^/]+)/(.+)$`)

// unpackKernel reads a kernel package: vmlinuz into dir, the modules into a spool
// file there. The caller closes the kernel.
func unpackKernel(ctx context.Context, debPath, dir string, r *recipe, read func(int64)) (_ *kernel, err error) {
	f, err := os.Open(debPath)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	spool, err := os.CreateTemp(dir, ".modules-")
	if err != nil {
		return nil, err
	}
	k := &kernel{spans: map[string]span{}, spool: spool}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	out := bufio.NewWriterSize(spool, 1<<20)
	in := &countingReader{f: f, ctx: ctx}
	if err := deb.Walk(in, func(e deb.Entry, content io.Reader) error {
		read(in.n.Load())
		return k.take(e, content, dir, r, out)
	}); err != nil {
		return nil, fmt.Errorf("kernel package: %w", err)
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	if k.release == "" || len(k.modules) == 0 {
		return nil, errors.New("kernel package: it holds no kernel modules")
	}
	if _, err := os.Stat(filepath.Join(dir, "vmlinuz")); err != nil {
		return nil, errors.New("kernel package: it holds no boot/vmlinuz")
	}
	return k, nil
}

// Close removes the spool.
func (k *kernel) Close() error { return errors.Join(k.spool.Close(), os.Remove(k.spool.Name())) }

func (k *kernel) take(e deb.Entry, content io.Reader, dir string, r *recipe, out io.Writer) (err error) {
	if e.Link != "" {
		return nil
	}
	if strings.HasPrefix(e.Path, "boot/vmlinuz-") {
		return writeFile(filepath.Join(dir, "vmlinuz"), content)
	}
	m := modulePath.FindStringSubmatch(e.Path)
	if m == nil {
		return nil
	}
	if k.release == "" {
		k.release = m[1]
	}
	if k.release != m[1] {
		return fmt.Errorf("modules of two kernels, %s and %s", k.release, m[1])
	}
	switch rest := m[2]; {
	case rest == "modules.builtin":
		if e.Size > maxModule {
			return fmt.Errorf("%s is larger than %d MiB", e.Path, maxModule>>20)
		}
		k.builtin, err = io.ReadAll(content)
		return err
	case strings.Contains(path.Base(rest), ".ko") && !r.leftOut(rest):
		return k.takeModule(rest, content, out)
	}
	return nil
}

// takeModule spools one module, uncompressed: the initrd is compressed as a whole,
// and the signature belongs to the uncompressed bytes.
func (k *kernel) takeModule(p string, content io.Reader, out io.Writer) error {
	plainPath, r, err := openModule(p, content)
	if err != nil {
		return fmt.Errorf("module %s: %w", p, err)
	}
	k.buffer.Reset()
	if _, err := k.buffer.ReadFrom(io.LimitReader(r, maxModule+1)); err != nil {
		return fmt.Errorf("module %s: %w", p, err)
	}
	b := k.buffer.Bytes()
	if len(b) > maxModule {
		return fmt.Errorf("module %s is larger than %d MiB", p, maxModule>>20)
	}
	m, err := kmod.Parse(plainPath, b)
	if err != nil {
		return err
	}
	if _, err := out.Write(b); err != nil {
		return err
	}
	k.modules = append(k.modules, m)
	k.spans[m.Path] = span{k.size, int64(len(b))}
	k.size += int64(len(b))
	return nil
}

func openModule(p string, content io.Reader) (string, io.Reader, error) {
	switch ext := path.Ext(p); ext {
	case ".ko":
		return p, content, nil
	case ".xz":
		r, err := xz.NewReader(content, maxWindow)
		return strings.TrimSuffix(p, ext), r, err
	case ".gz":
		r, err := gzip.NewReader(content)
		return strings.TrimSuffix(p, ext), r, err
	case ".zst":
		r, err := zstd.NewReader(content, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return "", nil, err
		}
		return strings.TrimSuffix(p, ext), r.IOReadCloser(), nil
	default:
		return "", nil, errors.New("unknown compression")
	}
}

// open returns a module's content.
func (k *kernel) open(m *kmod.Module) (io.Reader, int64) {
	s := k.spans[m.Path]
	return io.NewSectionReader(k.spool, s.offset, s.size), s.size
}

// countingReader tells how much of a file has been read and ends when the context
// does. Parts may be read by several goroutines; the report is then made by the
// one that walks the archive.
type countingReader struct {
	f   *os.File
	n   atomic.Int64
	ctx context.Context
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.f.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// ReadAt implements io.ReaderAt.
func (c *countingReader) ReadAt(p []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.f.ReadAt(p, at)
	c.n.Add(int64(n))
	return n, err
}

func writeFile(p string, content io.Reader) error {
	f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Sync(), f.Close())
}
