package netboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/pin/tftp/v3/netascii"
)

// firstPacket makes our answer to a request: the option acknowledgement (RFC
// 2347) where options were asked for that we take, else DATA 1. expect is the
// block number that the client acknowledges it with.
func firstPacket(r tftpRequest, f *File) (p []byte, expect uint16, err error) {
	if r.blksize > 0 || r.tsize || r.ours() {
		p = []byte{0, tftpOACK}
		if r.blksize > 0 {
			p = append(p, "blksize\x00"+strconv.Itoa(r.blksize)+"\x00"...)
		}
		if r.tsize {
			p = append(p, "tsize\x00"+strconv.FormatInt(f.Size, 10)+"\x00"...)
		}
		if r.window > 0 {
			p = append(p, "windowsize\x00"+strconv.Itoa(r.window)+"\x00"...)
		}
		if r.timeout > 0 {
			p = append(p, "timeout\x00"+strconv.Itoa(r.timeout)+"\x00"...)
		}
		return p, 0, nil
	}
	var content io.Reader = f
	if r.netascii {
		content = netascii.ToReader(f)
	}
	p = make([]byte, 4+512)
	binary.BigEndian.PutUint16(p, tftpData)
	binary.BigEndian.PutUint16(p[2:], 1)
	n, err := io.ReadFull(content, p[4:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, fmt.Errorf("read %s: %w", r.name, err)
	}
	return p[:4+n], 1, nil
}
