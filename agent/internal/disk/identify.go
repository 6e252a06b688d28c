package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Identify names the disk and gives table, partitions and file systems their ids.
// They follow from the seed: the same step of the same deployment comes to the same
// ids again, so that Holds can tell what it made from what was there before. A seed
// must never serve two disks.
func (l *Layout) Identify(disk, seed string) {
	l.Disk = disk
	id := func(what string) uuid.UUID {
		// Version 8 (RFC 9562): the bits are the maker's own.
		return uuid.NewHash(sha256.New(), uuid.Nil, []byte(seed+"\x00"+disk+"\x00"+what), 8)
	}
	short := func(what string) uint32 {
		u := id(what)
		return max(1, binary.BigEndian.Uint32(u[:4])) // 0 means none
	}
	l.TableID = strings.ToUpper(id("table").String())
	if l.Table == MBR {
		l.TableID = fmt.Sprintf("%08x", short("table"))
	}
	for i := range l.Partitions {
		p := &l.Partitions[i]
		p.PartUUID = id(fmt.Sprint("partition ", p.Number)).String()
		if l.Table == MBR {
			p.PartUUID = fmt.Sprintf("%s-%02x", l.TableID, p.Number)
		}
		what := fmt.Sprint("file system ", p.Number)
		switch p.FS {
		case "":
		case FSVFAT:
			n := short(what)
			p.UUID = fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
		case FSNTFS:
			u := id(what)
			p.UUID = fmt.Sprintf("%016X", max(1, binary.BigEndian.Uint64(u[:8])))
		default:
			p.UUID = id(what).String()
		}
	}
}
