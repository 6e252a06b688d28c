package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// file is what the journal needs of the file it appends to. Tests put a failing
// disk in its place.
type file interface {
	Write(p []byte) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
	// Reserve allocates blocks up to size without changing the file's length.
	Reserve(size int64) error
}

type diskFile struct{ *os.File }

// openDisk opens a file for appending, making it when there is none.
func openDisk(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (d diskFile) Reserve(size int64) error {
	return unix.Fallocate(int(d.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
}
