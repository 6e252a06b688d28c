package disk

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"

	"slipway/agent/internal/fat"
)

// Slipway's own media carry the volume label mediumLabel and, whatever becomes of that
// or of the way they were copied to a stick, a folder mediumFolder with a file that
// holds the id of their boot image (bootimages).
const (
	mediumLabel  = "SLIPWAY"
	mediumFolder = "SLIPWAY" // as ISO 9660 and FAT write it
)

// medium says whether a file system is that of a Slipway medium, and of which image;
// image is empty where only the label tells.
func medium(r io.ReaderAt) (is bool, image string) {
	c, err := Probe(r)
	if err != nil {
		return false, ""
	}
	switch c.FS {
	case "iso9660":
		image = isoImage(r)
	case FSVFAT:
		image = fatImage(r)
	default:
		return false, ""
	}
	return image != "" || c.Label == mediumLabel, image
}

// imageIDBytes is the length of a file that holds an image's id: 32 hex digits and the
// end of the line. Some programs that copy add a carriage return.
const imageIDBytes = 33

func imageID(text []byte) string {
	id := strings.TrimSpace(string(text))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 || strings.ToLower(id) != id {
		return ""
	}
	return id
}

func fatImage(r io.ReaderAt) string {
	f, err := fat.Open(r)
	if err != nil {
		return ""
	}
	list, err := f.List(mediumFolder)
	if err != nil {
		return ""
	}
	for _, e := range list {
		if e.Folder || e.Size < imageIDBytes-1 || e.Size > imageIDBytes+1 {
			continue
		}
		if text, err := f.Read(e, e.Size); err == nil && imageID(text) != "" {
			return imageID(text)
		}
	}
	return ""
}

// An ISO 9660 file system (ECMA-119): sectors of 2048 bytes, the primary volume
// descriptor in sector 16 and in it, at 156, the record of the root folder.
const (
	isoSector = 2048
	isoFolder = 1 << 20 // that is read of one folder at most
)

// isoRecord is a file or folder (ECMA-119, 9.1).
type isoRecord struct {
	name       string
	folder     bool
	at, length int64
}

func parseISORecord(b []byte) (isoRecord, bool) {
	if len(b) < 34 || int(b[32]) > len(b)-33 {
		return isoRecord{}, false
	}
	return isoRecord{name: string(b[33 : 33+int(b[32])]), folder: b[25]&2 != 0,
		at: int64(binary.LittleEndian.Uint32(b[2:])) * isoSector, length: int64(binary.LittleEndian.Uint32(b[10:]))}, true
}

// list reads a folder's records, which do not cross sectors.
func (d isoRecord) list(r io.ReaderAt) []isoRecord {
	var list []isoRecord
	b := make([]byte, isoSector)
	for at := int64(0); at < min(d.length, isoFolder); at += isoSector {
		if _, err := r.ReadAt(b, d.at+at); err != nil {
			return list
		}
		for rest := b; len(rest) > 0 && rest[0] > 0 && int(rest[0]) <= len(rest); rest = rest[rest[0]:] {
			if one, ok := parseISORecord(rest[:rest[0]]); ok {
				list = append(list, one)
			}
		}
	}
	return list
}

func isoImage(r io.ReaderAt) string {
	b := make([]byte, isoSector)
	if _, err := r.ReadAt(b, 16*isoSector); err != nil || string(b[1:6]) != "CD001" || b[0] != 1 {
		return ""
	}
	root, ok := parseISORecord(b[156:190])
	if !ok {
		return ""
	}
	for _, dir := range root.list(r) {
		if !dir.folder || dir.name != mediumFolder {
			continue
		}
		for _, file := range dir.list(r) {
			if file.folder || file.length != imageIDBytes {
				continue
			}
			text := make([]byte, imageIDBytes)
			if _, err := r.ReadAt(text, file.at); err == nil && imageID(text) != "" {
				return imageID(text)
			}
		}
	}
	return ""
}
