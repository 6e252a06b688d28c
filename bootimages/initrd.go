package bootimages

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"slipway/bootimages/internal/cpio"
	"slipway/bootimages/internal/deb"
	"slipway/bootimages/internal/kmod"
	"slipway/fleet"
)

// Inside is the content of /etc/slipway/image.json: what the agent knows of the
// image it runs from.
type Inside struct {
	Format       int      `json:"format"` // 1
	ID           string   `json:"id"`
	Kind         string   `json:"kind"`
	Architecture string   `json:"architecture"`
	AgentVersion string   `json:"agentVersion"`
	Protocol     int      `json:"protocol"`
	Lab          bool     `json:"lab"`
	Keyboard     string   `json:"keyboard"`
	Servers      []string `json:"servers"`
}

// reserved paths belong to the builder: an overlay may not replace them.
func reserved(p string) bool {
	return p == "init" || strings.HasPrefix(p, "etc/slipway/") || strings.HasPrefix(p, "lib/modules/")
}

// baseTree holds the folders and nodes that exist before the agent mounts
// anything.
func baseTree() (tree, error) {
	t := tree{}
	for _, d := range []string{"bin", "dev", "etc", "etc/slipway", "lib", "lib/firmware", "lib/modules", "mnt", "proc", "run", "sys", "var", "var/log"} {
		t.dir(d, 0o755)
	}
	t.dir("root", 0o700)
	t.dir("tmp", 0o1777)
	// devtmpfs is mounted over these; until then the kernel gives init its console.
	return t, errors.Join(t.device("dev/console", 0o600, 5, 1), t.device("dev/null", 0o666, 1, 3),
		t.link("sbin", "bin"), t.link("var/run", "/run"), t.bytes("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n")),
		t.bytes("etc/group", 0o644, []byte("root:x:0:\n")), t.bytes("etc/hosts", 0o644, []byte("127.0.0.1 localhost\n::1 localhost\n")))
}

// addIdentity adds the agent and what it must know from the start.
func addIdentity(t tree, o Options, r *resolved, id string) error {
	inside, err := json.MarshalIndent(Inside{Format: 1, ID: id, Kind: KindLinux, Architecture: o.Architecture, AgentVersion: o.AgentVersion,
		Protocol: o.Protocol, Lab: o.Lab, Keyboard: o.Keyboard, Servers: append([]string{}, o.Servers...)}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		t.file("init", 0o755, r.agent, r.agentSize, r.agentSum),
		t.bytes("etc/slipway/ca.pem", 0o644, canonicalCAs(o.CAs)),
		t.bytes("etc/slipway/installation", 0o644, []byte(o.Installation+"\n")),
		t.bytes("etc/slipway/image.json", 0o644, append(inside, '\n')))
}

// addCopies adds what the recipe copies out of packages, and busybox's links.
func addCopies(t tree, r *resolved, files map[string]string) error {
	for _, c := range r.recipe.Copy {
		perm, err := c.perm()
		if err != nil {
			return err
		}
		content, err := fileFromDeb(files[c.Package], c.From)
		if err != nil {
			return fmt.Errorf("package %s: %w", c.Package, err)
		}
		if err := t.bytes(c.To, perm, content); err != nil {
			return err
		}
	}
	for _, a := range r.recipe.applets {
		if err := t.link("bin/"+a, "busybox"); err != nil {
			return err
		}
	}
	return nil
}

// fileFromDeb reads the first of the given paths that the package holds.
func fileFromDeb(debPath string, paths []string) ([]byte, error) {
	f, err := os.Open(debPath)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := map[string][]byte{}
	err = deb.Walk(f, func(e deb.Entry, content io.Reader) error {
		if e.Link != "" || !slices.Contains(paths, e.Path) {
			return nil
		}
		if e.Size > maxModule {
			return fmt.Errorf("%s is larger than %d MiB", e.Path, maxModule>>20)
		}
		b, err := io.ReadAll(content)
		found[e.Path] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if b, ok := found[p]; ok {
			return b, nil
		}
	}
	return nil, fmt.Errorf("it holds no %s", strings.Join(paths, " or "))
}

// addModules adds the profile's modules with all they need, and their indexes.
func addModules(t tree, k *kernel, r *recipe, note func(string)) (set []*kmod.Module, err error) {
	x := kmod.NewIndex(k.modules, string(k.builtin))
	var names, required []string
	for _, w := range r.modules {
		names = append(names, w.name)
		if !w.optional {
			required = append(required, w.name)
		}
	}
	set, missing, err := x.Closure(names)
	if err != nil {
		return nil, err
	}
	missing = slices.DeleteFunc(missing, func(n string) bool { return !slices.Contains(required, n) })
	if len(missing) > 0 {
		note("this kernel has no module " + strings.Join(missing, ", "))
	}
	root := "lib/modules/" + k.release + "/"
	for _, m := range set {
		s := k.spans[m.Path]
		if err := t.add(node{header: cpio.Header{Name: root + m.Path, Mode: cpio.TypeRegular | 0o644, Size: s.size}, open: func() (io.ReadCloser, error) {
			r, _ := k.open(m)
			return io.NopCloser(r), nil
		}}); err != nil {
			return nil, err
		}
	}
	return set, errors.Join(t.bytes(root+"modules.dep", 0o644, x.Dep(set)), t.bytes(root+"modules.alias", 0o644, kmod.Alias(set)),
		t.bytes(root+"modules.softdep", 0o644, kmod.SoftDeps(set)), t.bytes(root+"modules.firmware", 0o644, kmod.Firmware(set)),
		t.bytes(root+"modules.builtin", 0o644, k.builtin))
}

// addOverlay adds the administrator's own files.
func addOverlay(t tree, files []folderFile, prefix string) error {
	for _, f := range files {
		name := prefix + f.name
		var err error
		switch {
		case prefix == "" && reserved(name):
			err = fmt.Errorf("%w: the overlay may not hold %s", ErrOption, name)
		case f.link != "":
			err = t.link(name, f.link)
		default:
			err = t.file(name, f.mode, f.source, f.size, f.sum)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeInitrd writes archives one after the other, each as a zstd frame of its
// own: the kernel unpacks them in turn. One encoder goroutine and a fixed window
// make the bytes a function of the content; the kernel's decoder wants a window of
// at most 8 MiB.
func writeInitrd(ctx context.Context, p string, archives []tree, done func(written, total int64)) (fleet.ImageFile, error) {
	f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return fleet.ImageFile{}, err
	}
	h := sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<20)
	err = compressAll(ctx, buf, archives, done)
	err = errors.Join(err, buf.Flush(), f.Sync())
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return fleet.ImageFile{}, err
	}
	return fleet.ImageFile{Size: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

func compressAll(ctx context.Context, w io.Writer, archives []tree, done func(written, total int64)) error {
	var total, before int64
	for _, t := range archives {
		total += t.size()
	}
	for _, t := range archives {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(8<<20), zstd.WithEncoderCRC(true))
		if err != nil {
			return err
		}
		if err := t.write(ctx, z, func(n int64) { done(before+n, total) }); err != nil {
			return errors.Join(err, z.Close())
		}
		if err := z.Close(); err != nil {
			return err
		}
		before += t.size()
	}
	return nil
}
