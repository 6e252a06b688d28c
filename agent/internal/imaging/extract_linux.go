package imaging

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// ExtractOptions say what an archive may hold.
type ExtractOptions struct {
	System   bool  // the root of an operating system: device nodes, fifos, absolute links
	Entries  int   // most entries; 0: defaultEntries
	Bytes    int64 // most bytes of files; 0: what the file system has room for
	Warn     func(text string)
	Progress func(done int64) // bytes of files written so far
}

// Limits that hold unless told otherwise.
const (
	defaultEntries = 8_000_000
	maxDirectories = 500_000 // they are remembered until the end
	ratioFrom      = 1 << 30 // an archive that stays below this may be packed as tight as it likes
	maxRatio       = 1000    // of bytes out to bytes in
)

// Extracted says what an archive held.
type Extracted struct {
	Entries int
	Bytes   int64
}

// Extract puts a tar archive, packed or not, into dir. Owners, modes, times, hard
// links and extended attributes are kept; nothing leaves dir, and what is there
// already is not written over.
func Extract(ctx context.Context, r io.Reader, dir string, o ExtractOptions) (Extracted, error) {
	s, err := Unpack(r)
	if err != nil {
		return Extracted{}, err
	}
	defer s.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Extracted{}, fmt.Errorf("open the folder for the archive: %w", err)
	}
	defer root.Close()
	x := &extractor{ExtractOptions: o, stream: s, root: root, buffer: make([]byte, 1<<20), seen: map[string]int{}, left: o.Bytes}
	defer x.leave()
	if x.Entries == 0 {
		x.Entries = defaultEntries
	}
	if x.left == 0 {
		if x.left, err = free(dir); err != nil {
			return Extracted{}, err
		}
	}
	err = x.all(ctx)
	return x.done, err
}

// free is what the file system of dir can still hold, in bytes.
func free(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

type extractor struct {
	ExtractOptions
	stream *Stream
	root   *os.Root
	buffer []byte
	left   int64 // bytes that may still be written
	done   Extracted

	directories []*tar.Header  // with cleaned names, in the order of the archive
	seen        map[string]int // directories of the archive

	parent     *os.File // the folder of the entry before
	parentName string
}

func (x *extractor) all(ctx context.Context) error {
	archive := tar.NewReader(x.stream)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the archive after %d entries: %w", x.done.Entries, err)
		}
		if x.done.Entries++; x.done.Entries > x.Entries {
			return fmt.Errorf("the archive holds more than %d entries", x.Entries)
		}
		if err := x.entry(ctx, h, archive); err != nil {
			return fmt.Errorf("archive entry %q: %w", shorten(h.Name), err)
		}
	}
	if x.done.Entries == 0 {
		return errors.New("the archive is empty, or is no tar archive")
	}
	// What follows the archive's end is read too: a checksum stands there.
	if _, err := io.Copy(io.Discard, io.LimitReader(x.stream, 64<<20)); err != nil {
		return fmt.Errorf("read the end of the archive: %w", err)
	}
	return x.finishDirectories()
}

func shorten(name string) string {
	if len(name) > 300 {
		return name[:300] + "..."
	}
	return name
}

func (x *extractor) entry(ctx context.Context, h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := entryName(h.Name)
	if err != nil {
		return err
	}
	h.Name = name
	if h.Typeflag == tar.TypeDir {
		return x.directory(h)
	}
	if name == "." {
		return errors.New("only a folder can have this name")
	}
	dir, err := x.enter(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		return x.file(ctx, dir, base, h, r)
	case tar.TypeSymlink:
		if leaves(name, h.Linkname, x.System) {
			return fmt.Errorf("it is a link to %q, out of the folder", shorten(h.Linkname))
		}
		err = unix.Symlinkat(h.Linkname, dir, base)
	case tar.TypeLink:
		return x.hardLink(h, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		err = x.special(dir, base, h)
	default:
		return fmt.Errorf("entries of kind %q are not known", h.Typeflag)
	}
	if err != nil {
		return twice(err)
	}
	return x.attributes(dir, base, h)
}

// twice gives the reason a name is taken that fits: archives are put into empty folders.
func twice(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return errors.New("it is there twice, or was there before")
	}
	return err
}

func (x *extractor) special(dir int, base string, h *tar.Header) error {
	kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[h.Typeflag]
	if !x.System {
		return errors.New("it is a device or a pipe, which only the root of an operating system may hold")
	}
	device := 0
	if h.Typeflag != tar.TypeFifo {
		device = int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))
	}
	return unix.Mknodat(dir, base, kind|0o600, device)
}

func (x *extractor) hardLink(h *tar.Header, name string) error {
	target, err := entryName(h.Linkname)
	if err != nil {
		return fmt.Errorf("it is a hard link to %q: %w", shorten(h.Linkname), err)
	}
	err = x.root.Link(target, name)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("it is a hard link to %q, which is not there", shorten(h.Linkname))
	}
	return twice(err)
}

func (x *extractor) file(ctx context.Context, dir int, base string, h *tar.Header, r io.Reader) error {
	if h.Size > x.left {
		return fmt.Errorf("it has %d bytes, but there is room for %d: the archive does not fit", h.Size, x.left)
	}
	fd, err := unix.Openat(dir, base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return twice(err)
	}
	f := os.NewFile(uintptr(fd), base)
	err = x.write(ctx, f, h.Size, r)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return x.attributes(dir, base, h)
}

// write copies a file's bytes. Runs of zeros become holes.
func (x *extractor) write(ctx context.Context, f *os.File, size int64, r io.Reader) error {
	at := int64(0)
	for at < size {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(r, x.buffer[:min(int64(len(x.buffer)), size-at)])
		if err != nil {
			return fmt.Errorf("read it: %w", err)
		}
		if n < len(x.buffer) || !zero(x.buffer[:n]) {
			if _, err := f.WriteAt(x.buffer[:n], at); err != nil {
				return fmt.Errorf("write it: %w", err)
			}
		}
		at += int64(n)
		if err := x.account(int64(n)); err != nil {
			return err
		}
	}
	if size > 0 && size%int64(len(x.buffer)) == 0 {
		return f.Truncate(size) // it may end with a hole
	}
	return nil
}

func (x *extractor) account(n int64) error {
	x.done.Bytes += n
	x.left -= n
	if x.done.Bytes > ratioFrom && x.done.Bytes/maxRatio > x.stream.In() {
		return fmt.Errorf("the archive grows to more than %d times its size", maxRatio)
	}
	if x.Progress != nil {
		x.Progress(x.done.Bytes)
	}
	return nil
}

// enter opens the folder of an entry below the root. The last one is kept:
// archives hold a folder's entries together.
func (x *extractor) enter(name string) (int, error) {
	if x.parent != nil && x.parentName == name {
		return int(x.parent.Fd()), nil
	}
	x.leave()
	f, err := x.root.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		if err = x.root.MkdirAll(name, 0o755); err == nil {
			f, err = x.root.Open(name)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("enter its folder: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		_ = f.Close()
		return -1, errors.New("what should be its folder is none")
	}
	x.parent, x.parentName = f, name
	return int(f.Fd()), nil
}

func (x *extractor) leave() {
	if x.parent != nil {
		_ = x.parent.Close()
	}
	x.parent = nil
}

// directory makes a folder. What it is said to be comes at the end: times would
// change, and modes might lock its content out.
func (x *extractor) directory(h *tar.Header) error {
	if _, before := x.seen[h.Name]; before {
		return errors.New("it is there twice")
	}
	if len(x.directories) >= maxDirectories {
		return fmt.Errorf("the archive holds more than %d folders", maxDirectories)
	}
	if h.Name != "." {
		dir, err := x.enter(path.Dir(h.Name))
		if err != nil {
			return err
		}
		err = unix.Mkdirat(dir, path.Base(h.Name), 0o700)
		if errors.Is(err, unix.EEXIST) {
			var stat unix.Stat_t
			if err = unix.Fstatat(dir, path.Base(h.Name), &stat, unix.AT_SYMLINK_NOFOLLOW); err == nil && stat.Mode&unix.S_IFMT != unix.S_IFDIR {
				err = unix.EEXIST
			}
		}
		if err != nil {
			return twice(err)
		}
	}
	x.seen[h.Name] = len(x.directories)
	x.directories = append(x.directories, &tar.Header{Typeflag: tar.TypeDir, Name: h.Name, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime, PAXRecords: attributesOf(h)})
	return nil
}

func (x *extractor) finishDirectories() error {
	for i := len(x.directories) - 1; i >= 0; i-- {
		h := x.directories[i]
		dir, err := x.enter(path.Dir(h.Name))
		if err == nil {
			err = x.attributes(dir, path.Base(h.Name), h)
		}
		if err != nil {
			return fmt.Errorf("archive entry %q: %w", shorten(h.Name), err)
		}
	}
	return nil
}

const xattrPrefix = "SCHILY.xattr."

// attributesOf are the records that hold extended attributes.
func attributesOf(h *tar.Header) map[string]string {
	var kept map[string]string
	for name, value := range h.PAXRecords {
		if strings.HasPrefix(name, xattrPrefix) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}
