package imaging

import (
	"errors"

	"golang.org/x/sys/unix"
)

// alignedMemory are blocks that begin at pages, as direct writing needs.
type alignedMemory struct{ all [][]byte }

func alignedBuffers(n int) (*alignedMemory, error) {
	m := &alignedMemory{}
	for range n {
		b, err := unix.Mmap(-1, 0, BlockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil, errors.Join(err, m.free())
		}
		m.all = append(m.all, b)
	}
	return m, nil
}

func (m *alignedMemory) free() error {
	var errs []error
	for _, b := range m.all {
		errs = append(errs, unix.Munmap(b))
	}
	m.all = nil
	return errors.Join(errs...)
}
