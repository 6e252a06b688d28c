package imaging

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"slipway/bootimages"
	"slipway/netboot"
	"slipway/tasksequence"
)

// What a build is made of may be named otherwise than by a path of the appliance:
//
//	content:ITEM, content:ITEM:VERSION   a version of a content item, by id or name
//	sources:NAME                         a file in SourcesFolder
//	-----BEGIN CERTIFICATE-----...       root certificates themselves
//
// Such names reach nothing but what was meant to be handed out, so they may come from
// afar; paths may not.
const (
	contentPrefix = "content:"
	sourcesPrefix = "sources:"
	pemPrefix     = "-----BEGIN CERTIFICATE-----"
)

// SourcesFolder is the folder below the data folder in which the administrator may put
// Windows ISOs and WIMs, too large to be sent through a browser.
const SourcesFolder = netboot.WindowsFolder + "/sources"

// Shelf is the content that builds may name.
type Shelf interface {
	// Resolve finds a version of an item, by id or name; number 0 is the newest active.
	Resolve(name string, number int) (tasksequence.Reference, error)
	// LayOut puts the files of a version below dir, which exists.
	LayOut(ctx context.Context, ref tasksequence.Reference, dir string) error
}

// Named reports whether a value names its thing in one of the ways that may come from
// afar; nothing does so too.
func Named(value string) bool {
	return value == "" || strings.HasPrefix(value, contentPrefix) || strings.HasPrefix(value, sourcesPrefix) || strings.HasPrefix(value, pemPrefix)
}

// inputs are the options of a Windows PE image that name files.
func inputs(o *bootimages.Options) map[string]*string {
	w := &o.Windows
	return map[string]*string{"source": &w.Source, "drivers": &w.Drivers, "root certificates": &w.Roots, "wallpaper": &w.Wallpaper, "hooks": &w.Hooks, "overlay": &o.Overlay}
}

// resolve settles which versions are meant, so that it does not change while the build
// waits for its turn, and refuses names that are none.
func (s *Service) resolve(o *bootimages.Options) error {
	for what, value := range inputs(o) {
		switch {
		case strings.HasPrefix(*value, sourcesPrefix):
			if what != "source" {
				return fmt.Errorf("%w: %s: %s names Windows ISOs and WIMs only", ErrName, what, sourcesPrefix)
			}
			if _, err := s.sourcePath(*value); err != nil {
				return err
			}
		case strings.HasPrefix(*value, contentPrefix):
			refs, err := s.references(what, *value)
			if err != nil {
				return err
			}
			var names []string
			for _, ref := range refs {
				names = append(names, contentPrefix+ref.String())
			}
			*value = strings.Join(names, ",")
		case strings.HasPrefix(*value, pemPrefix) && what != "root certificates":
			return fmt.Errorf("%w: %s: certificates stand here", ErrName, what)
		}
	}
	return nil
}

// ErrName says that what a build is to be made of is named in a way that cannot be.
var ErrName = errors.New("not a name of something to build from")

// references reads one or, of drivers, several names of content.
func (s *Service) references(what, value string) (out []tasksequence.Reference, err error) {
	if s.c.Shelf == nil {
		return nil, fmt.Errorf("%w: there is no content here", ErrName)
	}
	for name := range strings.SplitSeq(value, ","+contentPrefix) {
		name = strings.TrimPrefix(name, contentPrefix)
		number := 0
		if at := strings.LastIndexByte(name, ':'); at > 0 {
			if n, err := strconv.Atoi(name[at+1:]); err == nil && n > 0 {
				name, number = name[:at], n
			}
		}
		ref, err := s.c.Shelf.Resolve(name, number)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out = append(out, ref)
	}
	if len(out) > 1 && what != "drivers" {
		return nil, fmt.Errorf("%w: %s: only one item can be taken", ErrName, what)
	}
	return out, nil
}

// sourcePath is the file of "sources:NAME".
func (s *Service) sourcePath(value string) (string, error) {
	return s.SourcePath(strings.TrimPrefix(value, sourcesPrefix))
}

// SourcePath is where the SourceFile of that name is. Whatever is no plain name of a file
// in SourcesFolder is an ErrName.
func (s *Service) SourcePath(name string) (string, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%w: %q is no plain file name", ErrName, name)
	}
	path := filepath.Join(s.dataDir(), SourcesFolder, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: there is no file %q in the folder %s of the data folder", ErrName, name, SourcesFolder)
	}
	return path, nil
}

func (s *Service) dataDir() string { return filepath.Dir(s.c.Builder.BootDir()) }

// SourceFile is a file that a build may name as "sources:NAME".
type SourceFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
}

// Sources lists the files in SourcesFolder, by name.
func (s *Service) Sources() ([]SourceFile, error) {
	entries, err := os.ReadDir(filepath.Join(s.dataDir(), SourcesFolder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list the sources: %w", err)
	}
	var out []SourceFile
	for _, e := range entries {
		path, err := s.sourcePath(sourcesPrefix + e.Name())
		if err != nil {
			continue // a folder, or hidden
		}
		if info, err := os.Stat(path); err == nil {
			out = append(out, SourceFile{e.Name(), info.Size()})
		}
	}
	return out, nil
}

// layOut turns names into paths. remove takes away what was laid out for it.
func (s *Service) layOut(ctx context.Context, o *bootimages.Options, report bootimages.Report) (remove func(), err error) {
	dir := ""
	remove = func() {
		if dir != "" {
			_ = os.RemoveAll(dir) // else Clean does so at the next start
		}
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	for what, value := range inputs(o) {
		if *value == "" || !Named(*value) {
			continue
		}
		if strings.HasPrefix(*value, sourcesPrefix) {
			if *value, err = s.sourcePath(*value); err != nil {
				return remove, err
			}
			continue
		}
		if dir == "" {
			if dir, err = s.c.Builder.TempDir("inputs-"); err != nil {
				return remove, err
			}
		}
		to := filepath.Join(dir, strings.ReplaceAll(what, " ", "-"))
		if strings.HasPrefix(*value, pemPrefix) {
			if err = os.WriteFile(to, []byte(*value), 0o600); err != nil {
				return remove, err
			}
			*value = to
			continue
		}
		report(bootimages.Progress{Stage: "taking " + what + " from the content"})
		if *value, err = s.layOutContent(ctx, what, *value, to); err != nil {
			return remove, fmt.Errorf("%s: %w", what, err)
		}
	}
	return remove, nil
}

// layOutContent lays out one input below to and returns its path: the one fitting file
// of a source or a wallpaper, else the folder.
func (s *Service) layOutContent(ctx context.Context, what, value, to string) (string, error) {
	refs, err := s.references(what, value)
	if err != nil {
		return "", err
	}
	for _, ref := range refs {
		folder := to
		if len(refs) > 1 {
			folder = filepath.Join(to, ref.ID)
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", err
		}
		if err := s.c.Shelf.LayOut(ctx, ref, folder); err != nil {
			return "", err
		}
	}
	endings, ok := map[string][]string{"source": {".iso", ".wim"}, "wallpaper": {".jpg", ".jpeg"}}[what]
	if !ok {
		return to, nil
	}
	var found []string
	err = filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && slices.Contains(endings, strings.ToLower(filepath.Ext(path))) {
			found = append(found, path)
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case len(found) != 1:
		return "", fmt.Errorf("%w: the item has %d files that end in %s; one is needed", ErrName, len(found), strings.Join(endings, " or "))
	}
	return found[0], nil
}
