package imaging

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// PackOptions say what goes into an archive.
type PackOptions struct {
	// Exclude are patterns (path.Match) of names below the folder. What fits is left
	// out with all that is in it; "x/*" keeps the folder x itself.
	Exclude  []string
	Strength string // of compression: Fast, Default, Best
	Warn     func(text string)
	Progress func(done int64) // bytes of files so far
}

// Packed says what went into an archive.
type Packed struct {
	Entries int
	Bytes   int64 // of files
}

// Pack writes the tree below dir as tar, packed by zstd. Other file systems that are
// mounted in it are left out. Owners, modes, times, hard links, devices and extended
// attributes are kept, as Extract takes them.
func Pack(ctx context.Context, dir string, w io.Writer, o PackOptions) (Packed, error) {
	for _, pattern := range o.Exclude {
		if _, err := path.Match(pattern, "x"); err != nil {
			return Packed{}, fmt.Errorf("leave out %q: %w", pattern, err)
		}
	}
	var top unix.Stat_t
	if err := unix.Lstat(dir, &top); err != nil {
		return Packed{}, fmt.Errorf("open the tree: %w", err)
	}
	z, err := newFrames(w, o.Strength)
	if err != nil {
		return Packed{}, err
	}
	p := &packer{PackOptions: o, ctx: ctx, dir: dir, device: top.Dev, out: tar.NewWriter(z), links: map[[2]uint64]string{}, buffer: make([]byte, 1<<20)}
	err = filepath.WalkDir(dir, p.visit)
	if err == nil {
		err = p.out.Close()
	}
	return p.done, errors.Join(err, z.Close())
}

type packer struct {
	PackOptions
	ctx    context.Context
	dir    string
	device uint64
	out    *tar.Writer
	links  map[[2]uint64]string // files with several names, by device and inode
	buffer []byte
	done   Packed
}

func (p *packer) warn(text string) {
	if p.Warn != nil {
		p.Warn(text)
	}
}

func (p *packer) excluded(name string) bool {
	for _, pattern := range p.Exclude {
		if ok, _ := path.Match(strings.Trim(pattern, "/"), name); ok {
			return true
		}
	}
	return false
}

func (p *packer) visit(full string, d fs.DirEntry, err error) error {
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	name, _ := filepath.Rel(p.dir, full)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && name != "." { // it went away meanwhile
			return nil
		}
		return fmt.Errorf("read /%s: %w", name, err)
	}
	if name != "." && p.excluded(name) {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read /%s: %w", name, err)
	}
	if err := p.add(full, name, info); err != nil {
		return fmt.Errorf("pack /%s: %w", name, err)
	}
	var stat unix.Stat_t
	if d.IsDir() && unix.Lstat(full, &stat) == nil && stat.Dev != p.device {
		return fs.SkipDir // something is mounted there: the folder alone
	}
	return nil
}

func (p *packer) add(full, name string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSocket != 0 {
		return nil // programs make them anew
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if link, err = os.Readlink(full); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(plainInfo{info}, link)
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Lstat(full, &stat); err != nil {
		return err
	}
	h.ModTime = h.ModTime.Truncate(time.Second) // or the writer rounds it, into the future too
	h.Name = "./" + name
	if info.IsDir() {
		h.Name = "./" + strings.TrimPrefix(name+"/", "./")
	}
	h.Uid, h.Gid = int(stat.Uid), int(stat.Gid)
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		h.Devmajor, h.Devminor = int64(unix.Major(stat.Rdev)), int64(unix.Minor(stat.Rdev))
	}
	if stat.Nlink > 1 && !info.IsDir() {
		id := [2]uint64{stat.Dev, stat.Ino}
		if first, ok := p.links[id]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			p.links[id] = h.Name
		}
	}
	if h.Typeflag != tar.TypeLink {
		if h.PAXRecords, err = extended(full); err != nil {
			return err
		}
	}
	p.done.Entries++
	if h.Typeflag != tar.TypeReg {
		return p.out.WriteHeader(h)
	}
	return p.file(full, h)
}

// plainInfo hides the system's own part of a FileInfo, from which names of owners
// would be looked up in the wrong system.
type plainInfo struct{ fs.FileInfo }

func (plainInfo) Sys() any { return nil }

// file copies a file. One that grows is cut, one that shrinks is filled with zeros:
// that happens only in a running system.
func (p *packer) file(full string, h *tar.Header) error {
	f, err := os.OpenFile(full, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.out.WriteHeader(h); err != nil {
		return err
	}
	for left := h.Size; left > 0; {
		if err := context.Cause(p.ctx); err != nil {
			return err
		}
		b := p.buffer[:min(left, int64(len(p.buffer)))]
		n, err := io.ReadFull(f, b)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			p.warn(h.Name + " became shorter while it was read")
			clear(b[n:])
		} else if err != nil {
			return err
		}
		if _, err := p.out.Write(b); err != nil {
			return err
		}
		left -= int64(len(b))
		if p.done.Bytes += int64(len(b)); p.Progress != nil {
			p.Progress(p.done.Bytes)
		}
	}
	return nil
}

// extended reads the extended attributes of a file as records of a tar header.
func extended(full string) (map[string]string, error) {
	var list [64 << 10]byte
	n, err := unix.Llistxattr(full, list[:])
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list its attributes: %w", err)
	}
	records := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		var value [64 << 10]byte
		n, err := unix.Lgetxattr(full, name, value[:])
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read its attribute %q: %w", name, err)
		}
		records[xattrPrefix+name] = string(value[:n])
	}
	return records, nil
}
