package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// entryFormat is the format number of log entries written today.
const entryFormat = 1

// change is one record written or removed.
type change struct {
	table  string
	key    string
	expect uint64 // version the record must have; 0: it must not exist
	remove bool
	data   []byte // the record as stored; nil when removed
}

// check is something that was read and must still hold when the entry is applied.
type check struct {
	kind  byte
	table string
	index string // checkLookup only
	value string // key, or the value looked up
	count uint64 // checkLookup only: rows found
	max   uint64 // version: of the record, of the table, or the newest of the rows found
}

// The kinds of checks. A lookup is unchanged exactly when the number of rows and
// their newest version are: a row that came or changed carries a newer version, a
// row that went and was not replaced lowers the count.
const (
	checkRecord byte = 1 // record value of table has version max
	checkTable  byte = 2 // table was last changed at version max
	checkLookup byte = 3 // index=value of table finds count rows, the newest of version max
)

// entry is the content of one log entry.
type entry struct {
	key     string // idempotency key, never empty
	named   bool   // chosen by the caller, kept longer
	checks  []check
	changes []change
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// encode writes: format, CRC-32C of the rest (big endian), then the fields in
// order, numbers as uvarints, strings and records with their length before them.
func (e *entry) encode() []byte {
	b := make([]byte, 5, 256)
	b[0] = entryFormat
	b = appendString(b, e.key)
	b = appendBool(b, e.named)
	b = binary.AppendUvarint(b, uint64(len(e.checks)))
	for _, c := range e.checks {
		b = append(b, c.kind)
		b = appendString(b, c.table)
		b = appendString(b, c.index)
		b = appendString(b, c.value)
		b = binary.AppendUvarint(b, c.count)
		b = binary.AppendUvarint(b, c.max)
	}
	b = binary.AppendUvarint(b, uint64(len(e.changes)))
	for _, c := range e.changes {
		b = appendString(b, c.table)
		b = appendString(b, c.key)
		b = binary.AppendUvarint(b, c.expect)
		b = appendBool(b, c.remove)
		b = appendString(b, string(c.data))
	}
	putSum(b)
	return b
}

// putSum enters the checksum of an encoded entry.
func putSum(b []byte) { binary.BigEndian.PutUint32(b[1:], crc32.Checksum(b[5:], crcTable)) }

// decodeEntry reads what encode wrote. Its errors wrap ErrNewer or ErrDamaged.
func decodeEntry(b []byte) (*entry, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("%w: log entry of %d bytes", ErrDamaged, len(b))
	}
	if b[0] > entryFormat {
		return nil, fmt.Errorf("log entry format %d: %w", b[0], ErrNewer)
	}
	if b[0] != entryFormat || crc32.Checksum(b[5:], crcTable) != binary.BigEndian.Uint32(b[1:]) {
		return nil, fmt.Errorf("%w: a log entry fails its checksum", ErrDamaged)
	}
	r := &reader{b: b[5:]}
	e := &entry{key: r.string(), named: r.bool()}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		e.checks = append(e.checks, check{kind: r.byte(), table: r.string(), index: r.string(),
			value: r.string(), count: r.uvarint(), max: r.uvarint()})
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := change{table: r.string(), key: r.string(), expect: r.uvarint(), remove: r.bool()}
		if data := r.string(); !c.remove {
			c.data = []byte(data)
		}
		e.changes = append(e.changes, c)
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errors.New("bytes left over")
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: log entry: %v", ErrDamaged, r.err)
	}
	return e, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader takes values off a byte slice and remembers the first error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errors.New("cut short")
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool {
	v := r.byte()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items, each of which takes at least one byte.
func (r *reader) count() uint64 {
	v := r.uvarint()
	if v > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	v := string(r.b[:n])
	r.b = r.b[n:]
	return v
}
