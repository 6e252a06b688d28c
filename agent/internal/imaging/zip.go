package imaging

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// unzip unpacks the first file of a zip archive as it comes, by its local header
// (APPNOTE 4.3.7): the list at the archive's end is not needed for one file. Size is
// -1 where the header does not tell it.
func unzip(r io.Reader) (io.Reader, int64, error) {
	var h [30]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, 0, fmt.Errorf("unpack zip: %w", short(err))
	}
	flags, method := binary.LittleEndian.Uint16(h[6:]), binary.LittleEndian.Uint16(h[8:])
	name := make([]byte, binary.LittleEndian.Uint16(h[26:]))
	extra := make([]byte, binary.LittleEndian.Uint16(h[28:]))
	for _, p := range [][]byte{name, extra} {
		if _, err := io.ReadFull(r, p); err != nil {
			return nil, 0, fmt.Errorf("unpack zip: %w", short(err))
		}
	}
	size := int64(binary.LittleEndian.Uint32(h[22:]))
	if flags&8 != 0 { // told behind the data
		size = -1
	} else if size == 0xffffffff {
		size = zip64Size(extra)
	}
	switch {
	case flags&1 != 0:
		return nil, 0, errors.New("the zip archive is encrypted")
	case method == 8:
		return flate.NewReader(r), size, nil
	case method == 0 && size >= 0:
		return io.LimitReader(r, size), size, nil
	}
	return nil, 0, fmt.Errorf("the zip archive is packed by method %d, which is not known", method)
}

// zip64Size finds the unpacked size in the extra fields (APPNOTE 4.5.3).
func zip64Size(extra []byte) int64 {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			break
		}
		if size := extra[:n]; id == 1 && n >= 8 && size[7] < 0x40 {
			return int64(binary.LittleEndian.Uint64(size))
		}
		extra = extra[n:]
	}
	return -1
}
