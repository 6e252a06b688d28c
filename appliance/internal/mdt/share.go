package mdt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotAShare says that a folder is not a deployment share.
var ErrNotAShare = errors.New("this is not an MDT deployment share")

// maxFile bounds one file of the Control folder, in bytes. Drivers.xml is the largest.
const maxFile = 256 << 20

// share is an opened deployment share. Nothing outside its folder is reached, not by
// paths in its files and not by links.
type share struct {
	dir  string // absolute, links resolved
	root *os.Root
}

func openShare(dir string) (*share, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	s := &share{dir: abs, root: root}
	if _, err := s.find("Control"); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s has no folder Control; name the folder of the share itself", ErrNotAShare, dir), root.Close())
	}
	return s, nil
}

// find resolves a path as Windows would: either slash, in any case, from the share's
// folder. It answers the path with slashes as it is on the disk.
func (s *share) find(name string) (string, error) {
	at := "."
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '\\' || r == '/' }) {
		switch {
		case part == ".":
			continue
		case part == ".." || strings.ContainsRune(part, ':') || strings.ContainsRune(part, 0):
			return "", fmt.Errorf("%q leads out of the share", name)
		}
		next, err := s.entry(at, part)
		if err != nil {
			return "", err
		}
		at = next
	}
	if strings.HasPrefix(name, `\\`) || strings.HasPrefix(name, "//") || at == "." {
		return "", fmt.Errorf("%q leads out of the share", name)
	}
	return at, nil
}

// entry finds one name in a folder, in the case given if that exists.
func (s *share) entry(folder, name string) (string, error) {
	if _, err := s.root.Lstat(joinPath(folder, name)); err == nil {
		return joinPath(folder, name), nil
	}
	entries, err := s.list(folder)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return joinPath(folder, e.Name()), nil
		}
	}
	return "", fmt.Errorf("%s: %w", joinPath(folder, name), fs.ErrNotExist)
}

func (s *share) list(folder string) ([]fs.DirEntry, error) {
	f, err := s.root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	sortEntries(entries)
	return entries, err
}

// read reads a file of the share whole.
func (s *share) read(name string) ([]byte, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	return data, err
}

// stat follows links, but not out of the share.
func (s *share) stat(name string) (fs.FileInfo, error) { return s.root.Stat(name) }

// path is where something of the share is on this machine. Links in it that lead out
// of the share are an error.
func (s *share) path(name string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(s.dir, real); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%q leads out of the share", name)
	}
	return real, nil
}

// files lists the regular files below a folder, as paths of the share; others are
// returned beside them.
func (s *share) files(folder string) (regular, others []string, err error) {
	entries, err := s.list(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := joinPath(folder, e.Name())
		switch {
		case e.IsDir():
			r, o, err := s.files(name)
			if err != nil {
				return nil, nil, err
			}
			regular, others = append(regular, r...), append(others, o...)
		case e.Type().IsRegular():
			regular = append(regular, name)
		default:
			others = append(others, name)
		}
	}
	return regular, others, nil
}

func joinPath(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
}
