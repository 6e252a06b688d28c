package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft-wal/types"

	"slipway/appliance/internal/durable"
)

// metaFile keeps the little that must change in place: the log's list of segments,
// raft's term and vote, and the server id. It implements types.MetaStore.
//
// The file has two slots of fixed size, written in turn and synced. A write that is
// cut short leaves the other slot intact, and no write ever needs new space, so a
// full disk cannot stop an election. A slot is: magic, format number, sequence
// number, length, CRC-32C of those and the body (all big endian), then JSON.
type metaFile struct {
	mu     sync.Mutex
	f      *os.File
	format uint32
	seq    uint64 // of the slot written last
	body   metaBody
}

type metaBody struct {
	Log     types.PersistentState `json:"log"`
	Created uint64                `json:"created"` // 1 + the highest id of a segment that has its file
	Stable  map[string][]byte     `json:"stable"`
}

const (
	metaName   = "meta"
	metaMagic  = "slipmeta"
	metaFormat = 1
	metaSlot   = 256 << 10
	metaHead   = 8 + 4 + 8 + 4 + 4
)

// openMeta opens dir's meta file, or makes it when create is set.
func openMeta(dir string, create bool) (*metaFile, error) {
	path := filepath.Join(dir, metaName)
	if create {
		if err := createMeta(path); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	m := &metaFile{f: f, format: metaFormat}
	if err := m.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

// createMeta writes the file under another name first: it exists whole or not at all.
func createMeta(path string) error {
	tmp := path + newSuffix
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create the state: %w", err)
	}
	m := &metaFile{f: f, format: metaFormat, body: metaBody{Stable: map[string][]byte{}}}
	_, err = f.WriteAt(make([]byte, 2*metaSlot), 0)
	if err == nil {
		err = m.write(m.body)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("create the state: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("create the state: %w", err)
	}
	return durable.Folder(filepath.Dir(path))
}

// read takes the newer of the two slots that are whole.
func (m *metaFile) read() error {
	found := false
	for i := range int64(2) {
		seq, body, err := readSlot(io.NewSectionReader(m.f, i*metaSlot, metaSlot))
		if errors.Is(err, ErrNewer) {
			return err
		}
		if err == nil && (!found || seq > m.seq) {
			found, m.seq, m.body = true, seq, body
		}
	}
	if !found {
		return fmt.Errorf("%w: neither half of the file %q can be read; restore a backup", ErrDamaged, m.f.Name())
	}
	if m.body.Stable == nil {
		m.body.Stable = map[string][]byte{}
	}
	return nil
}

func readSlot(r io.Reader) (seq uint64, body metaBody, err error) {
	buf := make([]byte, metaSlot)
	if n, err := io.ReadFull(r, buf); err != nil {
		buf = buf[:n]
	}
	if len(buf) < metaHead || string(buf[:8]) != metaMagic {
		return 0, body, ErrDamaged
	}
	format, size := binary.BigEndian.Uint32(buf[8:]), binary.BigEndian.Uint32(buf[20:])
	if int(size) > len(buf)-metaHead || slotSum(buf[:24], buf[metaHead:metaHead+size]) != binary.BigEndian.Uint32(buf[24:]) {
		return 0, body, ErrDamaged
	}
	if format > metaFormat {
		return 0, body, fmt.Errorf("state folder format %d: %w", format, ErrNewer)
	}
	if err := json.Unmarshal(buf[metaHead:metaHead+size], &body); err != nil {
		return 0, body, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return binary.BigEndian.Uint64(buf[12:]), body, nil
}

func slotSum(head, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, crcTable), crcTable, body)
}

// write puts body into the older slot. The caller holds mu.
func (m *metaFile) write(body metaBody) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the state's list of segments: %w", err)
	}
	if len(data) > metaSlot-metaHead {
		return fmt.Errorf("the state's list of segments takes %d bytes: %w", len(data), ErrTooLarge)
	}
	seq := m.seq + 1
	buf := append(make([]byte, 0, metaHead+len(data)), metaMagic...)
	buf = binary.BigEndian.AppendUint32(buf, m.format)
	buf = binary.BigEndian.AppendUint64(buf, seq)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(data)))
	buf = binary.BigEndian.AppendUint32(buf, slotSum(buf, data))
	if _, err := m.f.WriteAt(append(buf, data...), int64(seq%2)*metaSlot); err != nil {
		return fmt.Errorf("write the state's list of segments: %w", err)
	}
	if err := m.f.Sync(); err != nil {
		return fmt.Errorf("sync the state's list of segments: %w", err)
	}
	m.seq, m.body = seq, body
	return nil
}

// Load implements types.MetaStore.
func (m *metaFile) Load(string) (types.PersistentState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body.Log, nil
}

// CommitState implements types.MetaStore.
func (m *metaFile) CommitState(s types.PersistentState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	body := m.body
	body.Log = s
	return m.write(body)
}

// markCreated notes that a segment has its file: should it be missing later, it
// was lost.
func (m *metaFile) markCreated(name string) error {
	var base, id uint64
	if _, err := fmt.Sscanf(name, "%020d-%016x.wal", &base, &id); err != nil {
		return fmt.Errorf("name of a log file %q: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	body := m.body
	body.Created = max(body.Created, id+1)
	return m.write(body)
}

// wasCreated reports whether a segment ever had its file.
func (m *metaFile) wasCreated(id uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return id < m.body.Created
}

// GetStable implements types.MetaStore.
func (m *metaFile) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body.Stable[string(key)], nil
}

// SetStable implements types.MetaStore.
func (m *metaFile) SetStable(key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	body := m.body
	body.Stable = maps.Clone(body.Stable)
	body.Stable[string(key)] = bytes.Clone(value)
	return m.write(body)
}

// Close implements types.MetaStore.
func (m *metaFile) Close() error { return m.f.Close() }
