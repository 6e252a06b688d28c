package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/raft"
)

// A snapshot is snapshotMagic, the format number, then items: a kind byte, the
// length of the body as uvarint, the body. Tables come sorted by name, their
// records by key; then stamps and idempotency keys, sorted likewise. The last item
// holds the number of items before it and their CRC-32C, so that a snapshot that
// was cut short is never taken for a small one.
const (
	snapshotMagic  = "slipway-state\n"
	snapshotFormat = 1
	maxItem        = MaxRecord + MaxKey + 1024
)

// The kinds of items.
const (
	itemRecord  byte = 1
	itemStamp   byte = 2
	itemApplied byte = 3
	itemEnd     byte = 4
)

// Snapshot implements raft.FSM. It only takes hold of the present tables, which
// later entries do not change.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if err := m.err(); err != nil {
		return nil, err
	}
	return &frozen{machine: m, txn: m.db.Load().Txn(false)}, nil
}

// frozen is the tables at one log index.
type frozen struct {
	machine *machine
	txn     *memdb.Txn
}

// Release implements raft.FSMSnapshot.
func (f *frozen) Release() { f.txn.Abort() }

// Persist implements raft.FSMSnapshot.
func (f *frozen) Persist(sink raft.SnapshotSink) error {
	if err := f.write(sink); err != nil {
		return errors.Join(fmt.Errorf("write a snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// write streams the tables, one record in memory at a time.
func (f *frozen) write(w io.Writer) error {
	out := &itemWriter{w: bufio.NewWriterSize(w, 64<<10)}
	if _, err := out.w.Write(append([]byte(snapshotMagic), snapshotFormat)); err != nil {
		return err
	}
	for _, t := range f.machine.tables {
		if err := f.each(t.name, func(obj any) error { return out.record(t.name, obj.(*row)) }); err != nil {
			return err
		}
	}
	if err := f.each(stampTable, func(obj any) error { return out.stamp(obj.(*stamp)) }); err != nil {
		return err
	}
	if err := f.each(appliedTable, func(obj any) error { return out.applied(obj.(*applied)) }); err != nil {
		return err
	}
	return out.end()
}

func (f *frozen) each(table string, fn func(obj any) error) error {
	it, err := f.txn.Get(table, idIndex)
	if err != nil {
		return err
	}
	for obj := it.Next(); obj != nil; obj = it.Next() {
		if err := fn(obj); err != nil {
			return err
		}
	}
	return nil
}

// itemWriter writes items and keeps their count and checksum.
type itemWriter struct {
	w     *bufio.Writer
	count uint64
	crc   uint32
	buf   []byte
}

func (o *itemWriter) item(kind byte, body []byte) error {
	head := binary.AppendUvarint([]byte{kind}, uint64(len(body)))
	o.count++
	o.crc = crc32.Update(crc32.Update(o.crc, crcTable, head), crcTable, body)
	if _, err := o.w.Write(head); err != nil {
		return err
	}
	_, err := o.w.Write(body)
	return err
}

func (o *itemWriter) record(table string, r *row) error {
	b := appendString(o.buf[:0], table)
	b = appendString(b, r.key)
	b = binary.AppendUvarint(b, r.version)
	o.buf = append(b, r.data...)
	return o.item(itemRecord, o.buf)
}

func (o *itemWriter) stamp(s *stamp) error {
	return o.item(itemStamp, binary.AppendUvarint(appendString(nil, s.table), s.version))
}

func (o *itemWriter) applied(a *applied) error {
	b := binary.AppendUvarint(appendString(nil, a.key), a.index)
	return o.item(itemApplied, appendBool(b, a.named))
}

func (o *itemWriter) end() error {
	b := binary.BigEndian.AppendUint32(binary.AppendUvarint(nil, o.count), o.crc)
	if err := o.item(itemEnd, b); err != nil {
		return err
	}
	return o.w.Flush()
}

// readSnapshotHeader checks magic and format number.
func readSnapshotHeader(r io.Reader) error {
	head := make([]byte, len(snapshotMagic)+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("%w: snapshot is too short", ErrDamaged)
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: this is not a snapshot", ErrDamaged)
	}
	if f := head[len(snapshotMagic)]; f > snapshotFormat {
		return fmt.Errorf("snapshot format %d: %w", f, ErrNewer)
	}
	return nil
}

// readSnapshot builds new tables from a snapshot.
func (m *machine) readSnapshot(r io.Reader) (*memdb.MemDB, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if err := readSnapshotHeader(br); err != nil {
		return nil, err
	}
	db, err := memdb.NewMemDB(memSchema(m.tables))
	if err != nil {
		return nil, fmt.Errorf("build the tables: %w", err)
	}
	txn := db.Txn(true)
	defer txn.Abort()
	in := &itemReader{r: br}
	for {
		kind, body, err := in.next()
		if err != nil {
			return nil, err
		}
		if kind == itemEnd {
			break
		}
		if err := m.load(txn, kind, body); err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
	}
	txn.Commit()
	return db, nil
}

// load puts one item into the tables.
func (m *machine) load(txn *memdb.Txn, kind byte, body []byte) error {
	r := &reader{b: body}
	var obj any
	switch kind {
	case itemRecord:
		name, key, version := r.string(), r.string(), r.uvarint()
		if r.err != nil {
			return fmt.Errorf("%w: record %v", ErrDamaged, r.err)
		}
		t := m.byName[name]
		if t == nil {
			return fmt.Errorf("table %q: %w", name, ErrNewer)
		}
		rec, err := t.decode(r.b)
		if err != nil {
			return err
		}
		return txn.Insert(name, &row{key: key, version: version, data: bytes.Clone(r.b), rec: rec})
	case itemStamp:
		obj = &stamp{table: r.string(), version: r.uvarint()}
	case itemApplied:
		obj = &applied{key: r.string(), index: r.uvarint(), named: r.bool()}
	default:
		return fmt.Errorf("item of kind %d: %w", kind, ErrNewer)
	}
	if r.err != nil {
		return fmt.Errorf("%w: item %v", ErrDamaged, r.err)
	}
	table := stampTable
	if kind == itemApplied {
		table = appliedTable
	}
	return txn.Insert(table, obj)
}

// itemReader reads what itemWriter wrote and checks its end.
type itemReader struct {
	r     *bufio.Reader
	count uint64
	crc   uint32
}

func (i *itemReader) next() (kind byte, body []byte, err error) {
	if kind, err = i.r.ReadByte(); err != nil {
		return 0, nil, fmt.Errorf("%w: snapshot ends early", ErrDamaged)
	}
	size, err := binary.ReadUvarint(i.r)
	if err != nil || size > maxItem {
		return 0, nil, fmt.Errorf("%w: snapshot holds an item of impossible size", ErrDamaged)
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(i.r, body); err != nil {
		return 0, nil, fmt.Errorf("%w: snapshot ends early", ErrDamaged)
	}
	if kind == itemEnd {
		return kind, nil, i.verify(body)
	}
	i.count++
	head := binary.AppendUvarint([]byte{kind}, size)
	i.crc = crc32.Update(crc32.Update(i.crc, crcTable, head), crcTable, body)
	return kind, body, nil
}

func (i *itemReader) verify(body []byte) error {
	r := &reader{b: body}
	if count := r.uvarint(); r.err != nil || count != i.count || len(r.b) != 4 || binary.BigEndian.Uint32(r.b) != i.crc {
		return fmt.Errorf("%w: snapshot fails its checksum", ErrDamaged)
	}
	return nil
}
