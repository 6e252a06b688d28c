package bootimages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slipway/bootimages/internal/sevenzip"
	"slipway/bootimages/internal/wim"
)

// maxBootWIM bounds the image that machines keep in memory; FAT32 holds no larger
// file either.
const maxBootWIM = 4<<30 - 1

// winSource is the image that a Windows PE is made of, found and looked at.
type winSource struct {
	name    string // of the file that was given
	iso     string // path of the disc image; "" when a WIM was given
	disc    []sevenzip.File
	wim     string // path of the WIM: the given one, or the copy out of the disc
	sum     string // SHA-256 of the WIM
	image   wim.Image
	why     string   // the image was chosen
	paths   []string // in the image
	byLower map[string]string
}

// openSource looks at the source and chooses the image. What it takes out of a disc
// goes to dir.
func openSource(ctx context.Context, o Options, tool *wim.Tool, dir string, m *meter) (*winSource, error) {
	s := &winSource{name: filepath.Base(o.Windows.Source)}
	if err := s.open(ctx, o.Windows.Source, dir, m); err != nil {
		return nil, fmt.Errorf("source %s: %w", o.Windows.Source, err)
	}
	info, err := wim.Read(s.wim)
	if err == nil {
		err = s.choose(ctx, tool, info, o, m)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", o.Windows.Source, err)
	}
	m.begin("reading the source", 12, 20)
	if s.sum, err = hashWithProgress(ctx, s.wim, m); err != nil {
		return nil, err
	}
	return s, nil
}

// open finds the WIM.
func (s *winSource) open(ctx context.Context, source, dir string, m *meter) error {
	kind, err := sourceKind(source)
	if err != nil {
		return err
	}
	if kind == "wim" {
		s.wim = source
		return nil
	}
	s.iso = source
	m.begin("looking at the disc", 0, 2)
	if s.disc, err = sevenzip.List(ctx, source); err != nil {
		return err
	}
	f, ok := sevenzip.Find(s.disc, "sources/boot.wim")
	if !ok {
		return fmt.Errorf("%w: the disc has no sources/boot.wim: give a Windows installation medium", ErrOption)
	}
	if f.Size > maxBootWIM {
		return fmt.Errorf("%w: sources/boot.wim of %d MB is larger than FAT32 and the memory of devices hold", ErrOption, f.Size/1e6)
	}
	m.begin("copying boot.wim off the disc", 2, 12)
	s.wim = filepath.Join(dir, "source.wim")
	out, err := os.OpenFile(s.wim, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	counted := &countWriter{w: out, done: func(n int64) { m.done(n, f.Size) }}
	return errors.Join(sevenzip.Copy(ctx, counted, source, f), out.Close())
}

// sourceKind tells a WIM from a disc image by the first bytes.
func sourceKind(source string) (string, error) {
	f, err := os.Open(source)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%w: it is not a file", ErrOption))
	}
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if n == 0 {
		return "", fmt.Errorf("%w: the file is empty", ErrSourceTruncated)
	}
	if err == nil && string(head) == wim.Magic {
		return "wim", nil
	}
	// ISO 9660 and UDF name themselves in the sectors from the 16th on (ECMA-119 8.1,
	// ECMA-167 2/9.1).
	sector := make([]byte, 6)
	for at := int64(16); at < 24; at++ {
		if _, err := f.ReadAt(sector, at*2048); err != nil {
			break
		}
		if id := string(sector[1:6]); id == "CD001" || id == "BEA01" || id == "NSR02" || id == "NSR03" {
			return "iso", nil
		}
	}
	return "", fmt.Errorf("%w: it is neither a disc image (ISO) nor a Windows image (WIM)", ErrOption)
}

// choose takes the image of the index that was given, or the one that fits.
func (s *winSource) choose(ctx context.Context, tool *wim.Tool, info wim.Info, o Options, m *meter) error {
	for _, i := range info.Images {
		m.note(fmt.Sprintf("image %d: %s, %s %s", i.Index, orUnnamed(i.Name), orUnknown(i.Architecture), i.Version))
	}
	index := o.Windows.Index
	switch {
	case index > len(info.Images):
		return fmt.Errorf("%w: the source has no image %d, the last is %d", ErrOption, index, len(info.Images))
	case index > 0:
		s.why = "it was asked for"
	default:
		index, s.why = fittingImage(info)
	}
	s.image = info.Images[index-1]
	if err := fitsArchitecture(s.image.Architecture, o.Architecture); err != nil {
		return err
	}
	var err error
	if s.paths, err = tool.List(ctx, s.wim, index); err != nil {
		return err
	}
	s.byLower = map[string]string{}
	for _, p := range s.paths {
		s.byLower[strings.ToLower(p)] = p
	}
	if !s.has("/Windows/System32/winpeshl.exe") {
		return fmt.Errorf("%w: image %d (%s) is no Windows PE, it has no winpeshl.exe: give boot.wim, winpe.wim or a WinRE image, or choose another index", ErrOption, index, orUnnamed(s.image.Name))
	}
	m.note(fmt.Sprintf("image %d is taken: %s", index, s.why))
	return nil
}

// fittingImage chooses an image. Windows' boot.wim has plain Windows PE first and
// Windows Setup second, which is the same with Setup beside it.
func fittingImage(info wim.Info) (index int, why string) {
	if len(info.Images) == 1 {
		return 1, "it is the only one"
	}
	for _, i := range info.Images {
		if strings.Contains(strings.ToLower(i.Name+i.Description), "windows pe") {
			return i.Index, "it is plain Windows PE; the others hold Setup as well, which is not used (--index takes another)"
		}
	}
	if info.Boot > 0 && info.Boot <= len(info.Images) {
		return info.Boot, "it is the one that the file boots (--index takes another)"
	}
	return 1, "it is the first (--index takes another)"
}

func fitsArchitecture(have, want string) error {
	switch {
	case have == "":
		return fmt.Errorf("%w: the image does not say which processor it is for: it was not made by Windows' tools", ErrOption)
	case have != X64 && have != ARM64:
		return fmt.Errorf("%w: it is for %s; Windows PE is built for %s and %s", ErrOption, have, X64, ARM64)
	case want != "" && want != have:
		return fmt.Errorf("%w: it is for %s, an image for %s was asked for", ErrOption, have, want)
	}
	return nil
}

// has reports a path of the image, whatever its case.
func (s *winSource) has(p string) bool { return s.byLower[strings.ToLower(p)] != "" }

// below returns the files right in a folder of the image with one of the endings.
func (s *winSource) below(folder string, endings ...string) (out []string) {
	for _, p := range s.paths {
		if strings.EqualFold(path.Dir(p), folder) && slices.ContainsFunc(endings, func(e string) bool { return strings.EqualFold(path.Ext(p), e) }) {
			out = append(out, p)
		}
	}
	return out
}

func orUnnamed(s string) string {
	if s == "" {
		return "unnamed"
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown processor"
	}
	return s
}
