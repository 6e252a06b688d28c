package bzimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrUnknown says that a kernel is not built as this package knows it.
var ErrUnknown = errors.New("kernel not packed as expected")

func unknown(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnknown, fmt.Sprintf(format, args...))
}

// Fields of the setup header, from the start of the file.
const (
	fieldSetupSects    = 0x1f1
	fieldSysSize       = 0x1f4 // of the protected-mode part, in 16 bytes
	fieldBootFlag      = 0x1fe
	fieldMagic         = 0x202
	fieldVersion       = 0x206
	fieldPayloadOffset = 0x248 // from the protected-mode part
	fieldPayloadLength = 0x24c
	fieldInitSize      = 0x260
	headerEnd          = 0x264

	minVersion = 0x20a // 2.08 has the payload's place, 2.10 the init size
	maxPayload = 256 << 20
	// workspace is more than the unpacking code needs behind the file's bytes: heap,
	// stack and page tables have less than 256 KiB with xz.
	workspace = 1 << 20
)

// image is a parsed kernel. Its slices share the bytes it was parsed from.
type image struct {
	raw      []byte // without what is appended: a signature
	payload  []byte // the xz stream, without the length behind it
	start    int    // of the payload in raw
	length   int    // of the payload with the length behind it
	unpacked int    // bytes, as the length says
	lengthAt int    // where the unpacking code has that number
	room     int    // bytes that may be unpacked without reaching the packed ones
}

// parse reads the setup header and finds the payload and the number that tells the
// unpacking code its size.
func parse(b []byte) (*image, error) {
	if len(b) < headerEnd || string(b[fieldMagic:fieldMagic+4]) != "HdrS" || binary.LittleEndian.Uint16(b[fieldBootFlag:]) != 0xaa55 {
		return nil, unknown("no bzImage")
	}
	if v := binary.LittleEndian.Uint16(b[fieldVersion:]); v < minVersion {
		return nil, unknown("boot protocol %d.%02d", v>>8, v&0xff)
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(b[at:])) }
	sects := int64(b[fieldSetupSects])
	if sects == 0 {
		sects = 4
	}
	protected := (sects + 1) * 512
	end := protected + word(fieldSysSize)*16
	start, length := protected+word(fieldPayloadOffset), word(fieldPayloadLength)
	if end > int64(len(b)) || length < 2*edge+4 || length > maxPayload || start+length > end-4 {
		return nil, unknown("payload of %d bytes at %d, file of %d", length, start, len(b))
	}
	i := &image{raw: b[:end:end], start: int(start), length: int(length), room: int(word(fieldInitSize) - (end - protected) - workspace)}
	whole := i.raw[start : start+length]
	i.unpacked = int(binary.LittleEndian.Uint32(whole[length-4:]))
	i.payload = whole[:length-4]
	if !bytes.HasPrefix(i.payload, []byte(magic)) {
		return nil, unknown("payload is not xz")
	}
	if i.unpacked > maxPayload {
		return nil, unknown("payload unpacks to %d bytes", i.unpacked)
	}
	return i, i.findLength()
}

// findLength finds input_len and output_len, two words side by side behind the
// payload (mkpiggy.c).
func (i *image) findLength() error {
	pair := binary.LittleEndian.AppendUint32(nil, uint32(i.length))
	pair = binary.LittleEndian.AppendUint32(pair, uint32(i.unpacked))
	behind := i.start + i.length
	at := bytes.Index(i.raw[behind:], pair)
	if at < 0 || bytes.Contains(i.raw[behind+at+1:], pair) || bytes.Contains(i.raw[:i.start], pair) {
		return unknown("the unpacked size is not where the unpacking code looks for it")
	}
	i.lengthAt = behind + at + 4
	return nil
}

// replace returns the kernel with another payload, and without signature.
func (i *image) replace(payload []byte, unpacked int) ([]byte, error) {
	if len(payload) > len(i.payload) {
		return nil, unknown("packed again it has %d bytes, there is room for %d", len(payload), len(i.payload))
	}
	if unpacked > i.room {
		return nil, unknown("no room to unpack %d bytes", unpacked)
	}
	out := bytes.Clone(i.raw)
	place := out[i.start : i.start+i.length]
	clear(place[copy(place, payload):])
	binary.LittleEndian.PutUint32(place[i.length-4:], uint32(unpacked))
	binary.LittleEndian.PutUint32(out[i.lengthAt:], uint32(unpacked))
	dropSignature(out)
	// "The CRC-32 of the entire file": remainder 0xffffffff, and no inversion.
	sum := len(out) - 4
	binary.LittleEndian.PutUint32(out[sum:], ^crc32.ChecksumIEEE(out[:sum]))
	return out, nil
}

// dropSignature takes the signature, which no longer holds and is no longer there,
// out of the directory of a kernel that is a UEFI program too.
func dropSignature(b []byte) {
	const optional, sum, security = 24, 64, 112 + 4*8 // from "PE": PE32+ header, its checksum, its fifth directory
	if string(b[:2]) != "MZ" {
		return
	}
	pe := int(binary.LittleEndian.Uint32(b[0x3c:]))
	if pe < 0x40 || pe > headerEnd || pe+optional+security+8 > len(b) || string(b[pe:pe+4]) != "PE\x00\x00" {
		return
	}
	if binary.LittleEndian.Uint16(b[pe+optional:]) == 0x20b {
		clear(b[pe+optional+sum:][:4]) // whoever signs writes it
		clear(b[pe+optional+security:][:8])
	}
}
