package disk

import (
	"encoding/binary"
	"errors"
	"testing"
)

// answer is what Windows says of a GPT disk with an EFI system partition.
func layoutAnswer() []byte {
	b := make([]byte, 48+144)
	binary.LittleEndian.PutUint32(b, 1)
	binary.LittleEndian.PutUint32(b[4:], 1)
	copy(b[8:], []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff})
	e := b[48:]
	binary.LittleEndian.PutUint32(e, 1)
	binary.LittleEndian.PutUint64(e[8:], 1<<20)
	binary.LittleEndian.PutUint64(e[16:], 499<<20)
	binary.LittleEndian.PutUint32(e[24:], 1)
	copy(e[32:], []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b})
	binary.LittleEndian.PutUint64(e[64:], 1<<63)
	return b
}

func TestWhatWindowsSaysOfPartitions(t *testing.T) {
	l, err := parseDriveLayout(layoutAnswer())
	if err != nil || l.Table != GPT || l.TableID != "00112233-4455-6677-8899-AABBCCDDEEFF" || len(l.Partitions) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	if p := l.Partitions[0]; p.Type != typeESP || p.Start != 1<<20 || p.Size != 499<<20 || p.Attributes != 1<<63 || p.Number != 1 {
		t.Errorf("%+v", p)
	}
	if _, err := parseDriveLayout(layoutAnswer()[:100]); err == nil {
		t.Error("a cut answer was taken")
	}
	raw := layoutAnswer()
	raw[0] = 2
	if _, err := parseDriveLayout(raw); !errors.Is(err, ErrNoTable) {
		t.Error(err)
	}
}

func TestWhatWindowsSaysOfADisk(t *testing.T) {
	b := make([]byte, 40)
	b[10] = 1
	binary.LittleEndian.PutUint32(b[16:], 40)
	binary.LittleEndian.PutUint32(b[24:], 60)
	binary.LittleEndian.PutUint32(b[28:], 17)
	b = append(b, "SAMSUNG  MZVL2512   \x00    S64KNX0T\x00"...)
	var d Disk
	describeDevice(&d, b)
	if d.Bus != BusNVMe || d.Model != "SAMSUNG MZVL2512" || !d.Removable {
		t.Errorf("%+v", d)
	}
}

func FuzzWindowsAnswers(f *testing.F) {
	f.Add(layoutAnswer())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseDriveLayout(b)
		describeDevice(&Disk{}, b)
	})
}
