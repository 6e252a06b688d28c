// Package diskimage reads disk images, raw and qcow2, and writes them anew in the form
// that is streamed onto disks: zstd frames, with holes told apart (wire.FormHoles).
// Images come from people: nothing in a header is believed before it is checked.
package diskimage

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Image is the content of a disk.
type Image interface {
	io.ReaderAt
	// Size is that of the disk, in bytes.
	Size() int64
	// Data returns the next range at or after off that may hold something else than
	// zeros. start is Size when there is none. A range may be empty, if it ends later
	// than off.
	Data(off int64) (start, end int64, err error)
}

// Raw is a disk image that is the disk's bytes.
type Raw struct {
	file *os.File
	size int64
}

// OpenRaw reads a file as a raw image. The caller closes the file.
func OpenRaw(f *os.File) (*Raw, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &Raw{file: f, size: info.Size()}, nil
}

// ReadAt implements io.ReaderAt.
func (r *Raw) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// Size implements Image.
func (r *Raw) Size() int64 { return r.size }

// Data implements Image: the holes of a sparse file hold nothing.
func (r *Raw) Data(off int64) (start, end int64, err error) {
	start, err = unix.Seek(int(r.file.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // a hole to the end
		return r.size, r.size, nil
	case err != nil: // a file system that cannot tell
		return off, r.size, nil
	}
	end, err = unix.Seek(int(r.file.Fd()), start, unix.SEEK_HOLE)
	if err != nil {
		end = r.size
	}
	return min(start, r.size), min(end, r.size), nil
}
