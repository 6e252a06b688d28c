package bootimages

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxFolder bounds what a firmware or overlay folder may add: the image lives in
// the memory of the machine that boots it.
const maxFolder = 256 << 20

// folderFile is one file of a folder given by the administrator.
type folderFile struct {
	name   string // slash-separated, below the folder
	source string // path on this machine
	link   string // target of a symbolic link
	mode   uint32
	sum    string
	size   int64
}

// input is the file's line among the resolved inputs.
func (f folderFile) input(kind string) string {
	if f.link != "" {
		return fmt.Sprintf("%s %s link:%s", kind, f.name, f.link)
	}
	return fmt.Sprintf("%s %s %04o sha256:%s", kind, f.name, f.mode, f.sum)
}

// readFolder lists and hashes a folder, in the order of names. Links must stay
// inside it; devices, sockets and pipes are refused.
func readFolder(dir string, keep func(name string) bool) ([]folderFile, error) {
	var out []folderFile
	var total int64
	root, err := filepath.EvalSymlinks(dir) // the walk does not follow it
	if err == nil && !isDir(root) {
		err = fmt.Errorf("%w: it is not a folder", ErrOption)
	}
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f := folderFile{name: filepath.ToSlash(rel), source: p}
		if !keep(f.name) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			total += info.Size()
		}
		if total > maxFolder { // before it is read: somebody put a disc image there
			return fmt.Errorf("%w: %s holds more than %d MiB, which devices would have to keep in memory", ErrOption, dir, maxFolder>>20)
		}
		if err := f.read(info); err != nil {
			return err
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	return out, nil
}

func (f *folderFile) read(info fs.FileInfo) (err error) {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		f.link, err = os.Readlink(f.source)
		if err == nil && !staysInside(f.name, f.link) {
			err = fmt.Errorf("%w: the link %s leaves the folder", ErrOption, f.name)
		}
		return err
	case info.Mode().IsRegular():
		f.mode = 0o644
		if info.Mode()&0o111 != 0 {
			f.mode = 0o755
		}
		f.sum, f.size, err = hashFile(f.source)
		return err
	default:
		return fmt.Errorf("%w: %s is neither a file nor a link", ErrOption, f.name)
	}
}

func staysInside(name, target string) bool {
	if path.IsAbs(target) {
		return false
	}
	p := path.Join(path.Dir(name), target)
	return p != ".." && !strings.HasPrefix(p, "../")
}
