package bootimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"slipway/bootimages/internal/bzimage"
	"slipway/fleet"
)

// FastKernel is the image's kernel packed again so that it unpacks itself faster.
// It has lost its signature: for BIOS, which checks none, and for the one-file image,
// whose own signature covers it.
const FastKernel = "vmlinuz.fast"

// fastFormat is part of the name of a kept kernel. It grows whenever the same kernel
// and the same liblzma would give other bytes.
const fastFormat = 1

// findPacker looks for the tool that packs kernels. Without it, the image has the
// kernel as it came, and another id.
func (r *resolved) findPacker(ctx context.Context, arch string) error {
	if arch != X64 {
		return nil
	}
	tool, err := bzimage.FindTool(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.packer, r.noPacker = tool, err
	return nil
}

// packerInput is the line of the inputs that says by what the kernel is packed.
func (r *resolved) packerInput() string {
	if r.packer == nil {
		return "kernel as it came"
	}
	return fmt.Sprintf("kernel packed again, format %d, by liblzma %s", fastFormat, r.packer.Version)
}

// addFastKernel writes the packed kernel beside the one in dir. A kernel that cannot be
// packed is no error: the log says why, and machines start with the one that came.
func (b *Builder) addFastKernel(ctx context.Context, r *resolved, dir string, image *fleet.BootImage, m *meter) error {
	if r.packer == nil {
		if r.noPacker != nil {
			m.note(fmt.Sprintf("warning: no %s, machines start a little later: %v", FastKernel, r.noPacker))
		}
		return nil
	}
	kernel, err := os.ReadFile(filepath.Join(dir, "vmlinuz"))
	if err != nil {
		return err
	}
	fast, err := b.fastKernel(ctx, r.packer, kernel, m)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		m.note(fmt.Sprintf("warning: no %s, machines start a little later: %v", FastKernel, err))
		return nil
	}
	path := filepath.Join(dir, FastKernel)
	if err := writeFile(path, bytes.NewReader(fast)); err != nil {
		return err
	}
	f := fleet.ImageFile{Name: FastKernel}
	if f.SHA256, f.Size, err = hashFile(path); err != nil {
		return err
	}
	image.Files = append(image.Files, f)
	image.Size += f.Size
	return nil
}

// kernelCache is the folder of packed kernels.
func (b *Builder) kernelCache() string { return filepath.Join(b.Data, "cache", "kernels") }

// fastKernel packs a kernel, or takes it from the cache: packing takes half a minute of
// processor time, and kernels change less often than images.
func (b *Builder) fastKernel(ctx context.Context, tool *bzimage.Tool, kernel []byte, m *meter) ([]byte, error) {
	sum := sha256.Sum256(kernel)
	path := filepath.Join(b.kernelCache(), fmt.Sprintf("%s-%d-%s", hex.EncodeToString(sum[:]), fastFormat, filepath.Base(tool.Version)))
	if kept, ok := readKept(path); ok {
		return kept, nil
	}
	m.note("packing the kernel again, so that machines start faster: half a minute or more, once for each kernel")
	fast, err := bzimage.Repack(ctx, kernel, tool.Pack)
	if err != nil {
		return nil, err
	}
	// A cache that cannot be written costs time, not the image.
	_ = writeKept(path, fast)
	return fast, nil
}

// readKept reads a file of the cache: the SHA-256 of the content, then the content.
func readKept(path string) ([]byte, bool) {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) < sha256.Size {
		return nil, false
	}
	content := raw[sha256.Size:]
	sum := sha256.Sum256(content)
	return content, bytes.Equal(sum[:], raw[:sha256.Size])
}

func writeKept(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	sum := sha256.Sum256(content)
	_, errSum := f.Write(sum[:])
	_, errContent := f.Write(content)
	if err := errors.Join(errSum, errContent, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return dropOldKept(dir)
}

// keptKernels is how many packed kernels the cache holds.
const keptKernels = 4

func dropOldKept(dir string) error {
	paths, err := glob(dir, "[0-9a-f]*")
	if err != nil || len(paths) <= keptKernels {
		return err
	}
	age := func(p string) time.Time {
		info, err := os.Stat(p)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(paths, func(a, b string) int { return age(b).Compare(age(a)) }) // newest first
	for _, p := range paths[keptKernels:] {
		err = errors.Join(err, os.Remove(p))
	}
	return err
}

// fastest is the name of the kernel in dir for programs that check no signature of it.
func fastest(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, FastKernel)); err == nil {
		return FastKernel
	}
	return "vmlinuz"
}
