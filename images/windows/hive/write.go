package hive

import (
	"encoding/binary"
	"fmt"
)

const (
	baseBlock = 4096 // in front of the bins; offsets count from its end
	binHeader = 32
	binUnit   = 4096
	none      = 0xffffffff

	flagRoot    = 0x0c // cannot be deleted, is the hive's entry
	flagASCII   = 0x20 // the key's name has one byte a character
	valueASCII  = 0x01
	inValue     = 0x80000000 // up to four bytes stand in the offset's place
	maxSubkeys  = 500        // in one list; more need an index of lists
	keyBytes    = 76         // before the name
	valueBytes  = 20
	securityRef = 12 // offset of the reference count
)

// writer collects the cells of one bin, which is the whole hive.
type writer struct {
	out      []byte // from the bin's header on
	time     uint64
	security uint32
}

// cell appends an allocated cell and returns its offset.
func (w *writer) cell(content []byte) uint32 {
	size := (len(content) + 4 + 7) &^ 7
	at := len(w.out)
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(-int32(size)))
	w.out = append(w.out, content...)
	w.out = append(w.out, make([]byte, at+size-len(w.out))...)
	return uint32(at)
}

// at is a cell's content from an offset in it on.
func (w *writer) at(cell uint32, offset int) []byte { return w.out[int(cell)+4+offset:] }

// key writes a key with all below it and returns its cell.
func (w *writer) key(name string, k *Key, parent uint32, flags uint16) (uint32, error) {
	if len(w.out) > maxHive {
		return 0, fmt.Errorf("more than %d MiB: %w", maxHive>>20, ErrUnwritable)
	}
	if err := checkName(name); err != nil {
		return 0, err
	}
	names, err := sorted(k.Keys)
	if err != nil {
		return 0, fmt.Errorf("below %s: %w", name, err)
	}
	if len(names) > maxSubkeys {
		return 0, fmt.Errorf("%d keys below %s: %w", len(names), name, ErrUnwritable)
	}
	le := binary.LittleEndian
	b := make([]byte, keyBytes)
	copy(b, "nk")
	le.PutUint16(b[2:], flags|flagASCII)
	le.PutUint64(b[4:], w.time)
	le.PutUint32(b[16:], parent)
	le.PutUint32(b[20:], uint32(len(names)))
	for _, list := range []int{28, 32, 40, 48} { // subkeys, volatile ones, values, class
		le.PutUint32(b[list:], none)
	}
	le.PutUint32(b[36:], uint32(len(k.Values)))
	le.PutUint32(b[44:], w.security)
	le.PutUint16(b[72:], uint16(len(name)))
	self := w.cell(append(b, name...))
	if err := w.values(self, k); err != nil {
		return 0, fmt.Errorf("key %s: %w", name, err)
	}
	list := le.AppendUint16([]byte("lf"), uint16(len(names)))
	longest := 0
	for _, n := range names {
		sub, err := w.key(n, k.Keys[n], self, 0)
		if err != nil {
			return 0, err
		}
		list = append(le.AppendUint32(list, sub), hint(n)...)
		longest = max(longest, len(n))
	}
	if len(names) > 0 {
		cell := w.cell(list)
		le.PutUint32(w.at(self, 28), cell)
		le.PutUint32(w.at(self, 52), uint32(2*longest))
	}
	return self, nil
}

// hint is the first four characters of a key's name, by which lists are searched.
func hint(name string) []byte {
	var h [4]byte
	copy(h[:], name)
	return h[:]
}

// values writes a key's values and enters them.
func (w *writer) values(key uint32, k *Key) error {
	names, err := sorted(k.Values)
	if err != nil || len(names) == 0 {
		return err
	}
	le := binary.LittleEndian
	var list []byte
	longestName, longestData := 0, 0
	for _, n := range names {
		v := k.Values[n]
		if len(v.Data) > maxData {
			return fmt.Errorf("value %s of %d bytes: %w", n, len(v.Data), ErrUnwritable)
		}
		b := make([]byte, valueBytes)
		copy(b, "vk")
		le.PutUint16(b[2:], uint16(len(n)))
		if len(v.Data) <= 4 {
			le.PutUint32(b[4:], uint32(len(v.Data))|inValue)
			copy(b[8:12], v.Data)
		} else {
			le.PutUint32(b[4:], uint32(len(v.Data)))
			le.PutUint32(b[8:], w.cell(v.Data))
		}
		le.PutUint32(b[12:], v.Type)
		if n != "" { // the default value has no name, and no form of one
			le.PutUint16(b[16:], valueASCII)
		}
		list = le.AppendUint32(list, w.cell(append(b, n...)))
		longestName, longestData = max(longestName, len(n)), max(longestData, len(v.Data))
	}
	cell := w.cell(list)
	le.PutUint32(w.at(key, 40), cell)
	le.PutUint32(w.at(key, 60), uint32(2*longestName))
	le.PutUint32(w.at(key, 64), uint32(longestData))
	return nil
}

// securityCell is the one descriptor of all keys: owned by Administrators, full
// control for them and for the system, inherited below ("O:BAG:SYD:P(A;CI;KA;;;BA)
// (A;CI;KA;;;SY)").
func securityCell(references uint32) []byte {
	administrators := []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0} // S-1-5-32-544
	system := []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}                        // S-1-5-18
	le := binary.LittleEndian
	ace := func(sid []byte) []byte {
		b := le.AppendUint16([]byte{0, 2}, uint16(8+len(sid))) // allowed, inherited by keys
		return append(le.AppendUint32(b, 0xf003f), sid...)
	}
	entries := append(ace(administrators), ace(system)...)
	acl := le.AppendUint16([]byte{2, 0}, uint16(8+len(entries)))
	acl = append(le.AppendUint32(acl, 2), entries...)
	d := []byte{1, 0, 0x04, 0x90} // self relative, protected, has a list
	owner := uint32(20)
	group := owner + uint32(len(administrators))
	for _, offset := range []uint32{owner, group, 0, group + uint32(len(system))} {
		d = le.AppendUint32(d, offset)
	}
	d = append(append(append(d, administrators...), system...), acl...)
	b := make([]byte, 20)
	copy(b, "sk")
	le.PutUint32(b[securityRef:], references)
	le.PutUint32(b[16:], uint32(len(d)))
	return append(b, d...)
}

// finish pads the bin, writes its header and the base block.
func (w *writer) finish(root uint32) []byte {
	le := binary.LittleEndian
	if free := (binUnit - len(w.out)%binUnit) % binUnit; free > 0 { // cells are multiples of 8: room for a free one
		at := len(w.out)
		w.out = append(w.out, make([]byte, free)...)
		le.PutUint32(w.out[at:], uint32(free))
	}
	copy(w.out, "hbin")
	le.PutUint32(w.out[8:], uint32(len(w.out)))
	le.PutUint64(w.out[20:], w.time)

	b := make([]byte, baseBlock)
	copy(b, "regf")
	for offset, v := range map[int]uint32{4: 1, 8: 1, 20: 1, 24: 3, 32: 1, 36: root, 40: uint32(len(w.out)), 44: 1} {
		le.PutUint32(b[offset:], v)
	}
	le.PutUint64(b[12:], w.time)
	le.PutUint32(b[508:], checksum(b))
	return append(b, w.out...)
}

// checksum is the exclusive or of the base block's first 127 numbers; neither all
// ones nor zero.
func checksum(b []byte) uint32 {
	var sum uint32
	for i := 0; i < 508; i += 4 {
		sum ^= binary.LittleEndian.Uint32(b[i:])
	}
	switch sum {
	case none:
		return none - 1
	case 0:
		return 1
	}
	return sum
}
