package disk

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// anNTFS is as much of an NTFS as a label takes: clusters of 4096 bytes, records of 1024,
// the table of files in cluster 4.
func anNTFS(label string) []byte {
	le := binary.LittleEndian
	b := make([]byte, 80<<10)
	copy(b[3:], "NTFS    ")
	le.PutUint16(b[11:], 512)
	b[13], b[0x40] = 8, 0xf6
	le.PutUint64(b[0x30:], 4)
	le.PutUint64(b[ntfsSerial:], 0x1234)
	record := b[4*4096+3*1024:]
	copy(record, "FILE")
	le.PutUint16(record[4:], 0x30) // the update sequence: its number, then what was in its place
	le.PutUint16(record[6:], 3)
	le.PutUint16(record[0x30:], 7)
	le.PutUint16(record[510:], 7)
	le.PutUint16(record[1022:], 7)
	le.PutUint16(record[0x14:], 480) // first attribute: the name crosses the end of the sector
	text := []byte(label)
	le.PutUint32(record[480:], ntfsVolumeName)
	le.PutUint32(record[484:], uint32(24+2*len(text)))
	le.PutUint32(record[496:], uint32(2*len(text)))
	le.PutUint16(record[500:], 24)
	for i, c := range text {
		at := 504 + 2*i
		if at == 510 {
			le.PutUint16(record[0x32:], uint16(c))
			continue
		}
		le.PutUint16(record[at:], uint16(c))
	}
	return b
}

func TestNTFSLabel(t *testing.T) {
	for _, want := range []string{"Windows", "Recovery", "x", ""} {
		c, err := Probe(bytes.NewReader(anNTFS(want)))
		if err != nil || c != (Content{FSNTFS, want, "0000000000001234"}) {
			t.Errorf("%+v, %v; want %q", c, err, want)
		}
	}
	torn := anNTFS("Windows")
	torn[4*4096+3*1024+510]++
	if c, err := Probe(bytes.NewReader(torn)); err != nil || c.Label != "" {
		t.Errorf("a record that was half written: %+v, %v", c, err)
	}
}

func FuzzNTFS(f *testing.F) {
	f.Add(anNTFS("Windows"))
	f.Add(anNTFS(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		boot := make([]byte, probeBytes)
		copy(boot, b)
		if label := ntfsLabel(bytes.NewReader(b), boot); len(label) > 1024 {
			t.Errorf("a label of %d bytes", len(label))
		}
	})
}
