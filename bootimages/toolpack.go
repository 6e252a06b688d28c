package bootimages

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"slipway/bootimages/internal/deb"
	"slipway/fleet"
)

// ToolPack is the file beside an image's kernel and initrd that holds the tools of
// task sequences: what the sign-in does not need is fetched after it.
const ToolPack = "tools.zst"

// toolPath is where the recipe of the tool pack lies; a recipe without one gives
// images without tools.
const toolRecipe = "linux/toolpack.json"

// toolRules is linux/toolpack.json: packages to take from, programs with all the
// libraries they need, links below the pack's root, and plain files.
type toolRules struct {
	Format   int               `json:"format"`
	Packages []string          `json:"packages"`
	Files    []string          `json:"files"`
	Links    map[string]string `json:"links"`
	Copy     []string          `json:"copy"`
}

// readTools reads the tool pack's recipe, nil when there is none.
func (r *recipe) readTools(files fs.FS) error {
	if _, err := fs.Stat(files, toolRecipe); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r.tools = &toolRules{}
	if err := r.readJSON(files, toolRecipe, r.tools); err != nil {
		return err
	}
	if r.tools.Format != 1 {
		return fmt.Errorf("%s: unknown format %d", toolRecipe, r.tools.Format)
	}
	return nil
}

// resolveTools names the tool pack's packages. A source that lacks one of them gives
// an image without tools: it asks for the passcode all the same.
func (r *resolved) resolveTools(ctx context.Context, arch string) error {
	if r.recipe.tools == nil {
		return nil
	}
	var list []Package
	for _, name := range r.recipe.tools.Packages {
		p, err := r.source.Resolve(ctx, name, "", debianArch(arch))
		if errors.Is(err, ErrNoPackage) {
			r.noTools = name
			return nil
		}
		if err != nil {
			return err
		}
		list = append(list, p)
	}
	r.packages = append(r.packages, list...)
	return nil
}

// toolFile is a file of a package that may be needed: a program or a library.
type toolFile struct {
	content []byte
	link    string
}

// toolSource holds the files of the tool pack's packages by their paths, without
// "usr/": Debian's folders of both kinds are one.
type toolSource map[string]toolFile

func merged(p string) string { return strings.TrimPrefix(p, "usr/") }

func readTools(ctx context.Context, debs []string) (toolSource, error) {
	s := toolSource{}
	for _, p := range debs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.read(p); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(p), err)
		}
	}
	return s, nil
}

func (s toolSource) read(debPath string) error {
	f, err := os.Open(debPath)
	if err != nil {
		return err
	}
	defer f.Close()
	return deb.Walk(f, func(e deb.Entry, content io.Reader) error {
		p := merged(e.Path)
		switch top, _, _ := strings.Cut(p, "/"); top {
		case "bin", "sbin", "lib", "lib64", "etc":
		default:
			return nil
		}
		if e.Size > maxModule {
			return nil // too large for a tool; asked for, it is not there
		}
		file := toolFile{link: e.Link}
		if e.Link == "" {
			var err error
			if file.content, err = io.ReadAll(content); err != nil {
				return err
			}
		}
		s[p] = file
		return nil
	})
}

// find follows links to a file with content.
func (s toolSource) find(p string) ([]byte, bool) {
	p = merged(strings.TrimPrefix(p, "/"))
	for range 8 {
		f, ok := s[p]
		if !ok {
			return nil, false
		}
		if f.link == "" {
			return f.content, true
		}
		if strings.HasPrefix(f.link, "/") {
			p = merged(f.link[1:])
		} else {
			p = path.Join(path.Dir(p), f.link)
		}
	}
	return nil, false
}

// library finds a shared library by its name.
func (s toolSource) library(name string) (p string, content []byte, ok bool) {
	for _, known := range slices.Sorted(maps.Keys(s)) {
		if path.Base(known) == name && strings.HasPrefix(known, "lib") && strings.Count(known, "/") <= 2 {
			if content, ok = s.find(known); ok {
				return "usr/" + known, content, true
			}
		}
	}
	return "", nil, false
}

// tool is one entry of the pack.
type tool struct {
	content []byte
	link    string
	mode    int64
}

// collect lists programs and everything that they need, by path in the pack.
func (s toolSource) collect(rules *toolRules) (map[string]tool, error) {
	out := map[string]tool{}
	var queue [][]byte
	var from []string
	add := func(p string, content []byte) {
		if _, ok := out[p]; !ok {
			out[p] = tool{content: content, mode: 0o755}
			queue, from = append(queue, content), append(from, p)
		}
	}
	for _, f := range rules.Files {
		content, ok := s.find(f)
		if !ok {
			return nil, fmt.Errorf("tool pack: the packages hold no %s", f)
		}
		add("usr/"+merged(f), content)
	}
	for i := 0; i < len(queue); i++ {
		libraries, interpreter, err := needs(queue[i])
		if err != nil {
			return nil, fmt.Errorf("tool pack: %s: %w", from[i], err)
		}
		if interpreter != "" {
			content, ok := s.find(interpreter)
			if !ok {
				return nil, fmt.Errorf("tool pack: %s needs %s, which no package of %s holds", from[i], interpreter, toolRecipe)
			}
			add(strings.TrimPrefix(interpreter, "/"), content)
		}
		for _, name := range libraries {
			p, content, ok := s.library(name)
			if !ok {
				return nil, fmt.Errorf("tool pack: %s needs %s, which no package of %s holds", from[i], name, toolRecipe)
			}
			add(p, content)
		}
	}
	for _, f := range rules.Copy {
		content, ok := s.find(f)
		if !ok {
			return nil, fmt.Errorf("tool pack: the packages hold no %s", f)
		}
		out[f] = tool{content: content, mode: 0o644}
	}
	for p, target := range rules.Links {
		out[p] = tool{link: target, mode: 0o777}
	}
	return out, nil
}

// needs reads which libraries and which loader an ELF file asks for.
func needs(content []byte) (libraries []string, interpreter string, err error) {
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			if err != nil {
				return nil, "", err
			}
			interpreter = strings.TrimRight(string(b), "\x00")
		}
	}
	libraries, err = f.ImportedLibraries()
	return slices.DeleteFunc(libraries, func(n string) bool { return strings.HasPrefix(n, "ld-linux") }), interpreter, err
}

// writeTools writes the pack: a tar archive, packed by zstd. What is written depends
// on the entries alone.
func writeTools(ctx context.Context, w io.Writer, entries map[string]tool) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(8<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, z.Close())
		}
		e := entries[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: e.mode, Size: int64(len(e.content)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.link, 0
		}
		if err := t.WriteHeader(h); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), z.Close())
		}
		if _, err := t.Write(e.content); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), z.Close())
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// insideTools is the content of /etc/slipway/tools.json: how the agent knows the pack
// that belongs to its image.
type insideTools struct {
	Format   int    `json:"format"` // 1
	File     string `json:"file"`
	Size     int64  `json:"size"`
	Unpacked int64  `json:"unpacked"` // bytes of all files
	SHA256   string `json:"sha256"`
}

// addTools writes the pack into dir and pins it in the image. It says so when there
// is none.
func (r *resolved) addTools(ctx context.Context, t tree, files map[string]string, dir string, m *meter) (fleet.ImageFile, error) {
	if r.recipe.tools == nil {
		return fleet.ImageFile{}, nil
	}
	if r.noTools != "" {
		m.note(fmt.Sprintf("warning: no %s: package %s is not in the packages folder, fetch it with: slipway image fetch", ToolPack, r.noTools))
		return fleet.ImageFile{}, nil
	}
	var debs []string
	for _, name := range r.recipe.tools.Packages {
		debs = append(debs, files[name])
	}
	source, err := readTools(ctx, debs)
	if err != nil {
		return fleet.ImageFile{}, err
	}
	entries, err := source.collect(r.recipe.tools)
	if err != nil {
		return fleet.ImageFile{}, err
	}
	if err := r.addWindowsAgent(entries, m); err != nil {
		return fleet.ImageFile{}, err
	}
	var packed bytes.Buffer
	if err := writeTools(ctx, &packed, entries); err != nil {
		return fleet.ImageFile{}, err
	}
	sum := sha256.Sum256(packed.Bytes())
	f := fleet.ImageFile{Name: ToolPack, Size: int64(packed.Len()), SHA256: hex.EncodeToString(sum[:])}
	if err := writeFile(filepath.Join(dir, ToolPack), &packed); err != nil {
		return f, err
	}
	inside := insideTools{Format: 1, File: ToolPack, Size: f.Size, SHA256: f.SHA256}
	for _, e := range entries {
		inside.Unpacked += int64(len(e.content))
	}
	text, err := json.MarshalIndent(inside, "", "  ")
	if err != nil {
		return f, err
	}
	m.note(fmt.Sprintf("tool pack: %d files, %.1f MB, unpacked %.1f MB", len(entries), float64(f.Size)/1e6, float64(inside.Unpacked)/1e6))
	return f, t.bytes("etc/slipway/tools.json", 0o644, append(text, '\n'))
}
