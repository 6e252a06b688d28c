//go:build linux

package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// memory is a disk in memory.
type memory struct {
	data   []byte
	sector int
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > int64(len(m.data)) || at%int64(m.sector) != 0 || len(p)%m.sector != 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, m.data[at:]), nil
}

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > int64(len(m.data)) || at%int64(m.sector) != 0 || len(p)%m.sector != 0 {
		return 0, io.ErrShortWrite
	}
	return copy(m.data[at:], p), nil
}

func (m *memory) Size() int64              { return int64(len(m.data)) }
func (m *memory) SectorSize() int          { return m.sector }
func (m *memory) Zero(at, n int64) error   { clear(m.data[at : at+n]); return nil }
func (m *memory) Discard(_, _ int64) error { return nil }
func (m *memory) Sync() error              { return nil }
func (m *memory) Close() error             { return nil }

// controller is an NVMe controller with namespaces of one size, of which 1 is the
// disk. What it does at a Format says format.
type controller struct {
	identify []byte // of the controller
	space    []byte // of the namespace
	active   []uint32
	hidden   []uint32
	format   func(c nvmeCommand) error
	sent     []nvmeCommand
}

func newController(sectors uint64, shift byte) *controller {
	c := &controller{identify: make([]byte, identifyBytes), space: make([]byte, identifyBytes), active: []uint32{1}}
	c.identify[256] = 1 << 1
	binary.LittleEndian.PutUint64(c.space, sectors)
	c.space[25], c.space[26] = 1, 1 // two formats, the second is in use
	c.space[128+2], c.space[128+4+2] = 12, shift
	return c
}

func (c *controller) Namespace() (uint32, error) { return 1, nil }

func (c *controller) Admin(cmd nvmeCommand, data []byte) error {
	list := func(ids []uint32) {
		for i, id := range ids {
			binary.LittleEndian.PutUint32(data[4*i:], id)
		}
	}
	switch cmd.opcode {
	case nvmeFormat:
		c.sent = append(c.sent, cmd)
		return c.format(cmd)
	case nvmeIdentify:
		switch cmd.cdw10 {
		case cnsController:
			copy(data, c.identify)
		case cnsNamespace:
			copy(data, c.space)
		case cnsActive:
			list(c.active)
		case cnsAllocated:
			if c.hidden == nil {
				return nvmeStatus(0x002)
			}
			list(c.hidden)
		}
		return nil
	}
	return nvmeStatus(0x001)
}

func nvmeDiskOf(t *testing.T, c *controller) nvmeDisk {
	t.Helper()
	n, err := lookAtNVMe(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A Format is believed only when what lay on the disk is gone from all places.
func TestFormatIsProvenByReadingBack(t *testing.T) {
	const size = 6 << 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	places, _ := samplePlaces(size, 512, seed)
	full := bytes.Repeat([]byte("old content, and more of it. "), size/29+1)[:size]
	for name, tt := range map[string]struct {
		before []byte
		format func(d []byte) error
		want   string // of the details, or of the error
		fails  bool
	}{
		"zeros":          {full, func(d []byte) error { clear(d); return nil }, "reads as zeros", false},
		"ones":           {full, func(d []byte) error { copy(d, bytes.Repeat([]byte{0xff}, len(d))); return nil }, "reads as ones", false},
		"another key":    {full, func(d []byte) error { flip(d); return nil }, "reads as other data", false},
		"an empty disk":  {make([]byte, size), func(d []byte) error { clear(d); return nil }, "reads as zeros", false},
		"does nothing":   {full, func([]byte) error { return nil }, "still readable at byte", true},
		"nothing, empty": {make([]byte, size), func([]byte) error { return nil }, "still readable at byte", true},
		"one sector left": {full, func(d []byte) error {
			keep := bytes.Clone(d[places[9]:][:512])
			clear(d)
			copy(d[places[9]:], keep)
			return nil
		}, fmt.Sprintf("(seed %d)", seed), true},
		"the controller refuses":  {full, func([]byte) error { return nvmeStatus(0x10a) }, "status 0x10a (invalid format)", true},
		"the controller is gone":  {full, func([]byte) error { return errors.New("no such device") }, "no such device", true},
		"another status, unnamed": {full, func([]byte) error { return nvmeStatus(0x4123) }, "status 0x123", true},
	} {
		m := &memory{bytes.Clone(tt.before), 512}
		c := newController(size/512, 9)
		c.format = func(nvmeCommand) error { return tt.format(m.data) }
		details, err := formatDisk(t.Context(), m, nvmeDiskOf(t, c), eraseUserData, seed, make([]byte, sampleBytes), quietly)
		text := details
		if err != nil {
			text = err.Error()
		}
		if (err != nil) != tt.fails || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, %v", name, details, err)
		}
		if len(c.sent) != 1 || c.sent[0].cdw10 != 1|1<<9 || c.sent[0].namespace != 1 {
			t.Errorf("%s: sent %+v", name, c.sent)
		}
	}
}

func flip(d []byte) {
	for i := range d {
		d[i] ^= 0x5a
	}
}

// A disk that is not the namespace it is taken for is left alone.
func TestFormatOfAnotherDisk(t *testing.T) {
	c := newController(100, 9)
	m := &memory{bytes.Repeat([]byte{7}, 1<<20), 512}
	_, err := formatDisk(t.Context(), m, nvmeDiskOf(t, c), eraseUserData, 1, make([]byte, sampleBytes), quietly)
	if !errors.Is(err, ErrUnverified) || len(c.sent) > 0 || !bytes.Equal(m.data, bytes.Repeat([]byte{7}, 1<<20)) {
		t.Errorf("%v, sent %v", err, c.sent)
	}
}

// A cancelled step waits for the disk, which cannot be called back.
func TestFormatIsWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := false
	err := await(ctx, quietly, "erasing", func() error {
		cancel(errors.New("cancelled"))
		time.Sleep(20 * time.Millisecond)
		ended = true
		return nil
	})
	if !ended || err == nil || err.Error() != "cancelled" {
		t.Errorf("ended %v, %v", ended, err)
	}
}

func TestFormatKeepsTheFormat(t *testing.T) {
	for _, tt := range []struct {
		flbas, formats, protection byte
		want                       uint32
	}{
		{0, 0, 0, 1 << 9},
		{0x11, 3, 0x0b, 1 | 1<<4 | 3<<5 | 1<<8 | 1<<9}, // metadata behind the data, protection of type 3, first bytes
		{0x24, 40, 0, 4 | 1<<12 | 1<<9},                // format 20
		{0x24, 10, 0, 4 | 1<<9},                        // the upper bits do not count
	} {
		b := make([]byte, identifyBytes)
		b[25], b[26], b[29] = tt.formats, tt.flbas, tt.protection
		for i := range 64 {
			b[128+4*i+2] = 9
		}
		f, err := parseNamespace(b)
		if got := f.command(eraseUserData); err != nil || got != tt.want {
			t.Errorf("%+v: got %#x, %v", tt, got, err)
		}
	}
}

// What is refused, and that it names what the disk has.
func TestWipeMethods(t *testing.T) {
	plain := func(*controller) {}
	tests := []struct {
		name   string
		disk   Disk
		method WipeMethod
		change func(*controller)
		erase  uint32
		is     error
		want   string
	}{
		{"NVMe", Disk{Bus: BusNVMe}, WipeAuto, plain, eraseUserData, nil, ""},
		{"NVMe, said", Disk{Bus: BusNVMe}, WipeNVMe, plain, eraseUserData, nil, ""},
		{"NVMe, overwrite", Disk{Bus: BusNVMe}, WipeOverwrite, plain, 0, nil, ""},
		{"NVMe without Format", Disk{Bus: BusNVMe}, WipeAuto, func(c *controller) { c.identify[256] = 0; c.identify[328] = 2 }, 0, ErrUnverified, "no Format command (it has: Sanitize block erase)"},
		{"new key", Disk{Bus: BusNVMe}, WipeNVMeCrypto, func(c *controller) { c.identify[524] = 4 }, eraseCrypto, nil, ""},
		{"no new key", Disk{Bus: BusNVMe}, WipeNVMeCrypto, plain, 0, ErrUnverified, "no cryptographic erase"},
		{"sanitize", Disk{Bus: BusNVMe}, WipeSanitize, func(c *controller) { c.identify[328] = 7 }, 0, ErrUnverified, "Format, Sanitize block erase, Sanitize cryptographic erase, Sanitize overwrite"},
		{"another namespace", Disk{Bus: BusNVMe}, WipeAuto, func(c *controller) { c.active = []uint32{1, 2} }, eraseUserData, nil, ""},
		{"another namespace would go too", Disk{Bus: BusNVMe}, WipeAuto, func(c *controller) { c.active, c.identify[524] = []uint32{1, 2}, 2 }, 0, ErrRefused, "there are others: [2]"},
		{"a hidden namespace would go too", Disk{Bus: BusNVMe}, WipeAuto, func(c *controller) { c.identify[256] |= 1 << 3; c.hidden, c.identify[524] = []uint32{1, 7}, 1 }, 0, ErrRefused, "there are others: [7]"},
		{"no list of hidden ones", Disk{Bus: BusNVMe}, WipeAuto, func(c *controller) { c.identify[256] |= 1 << 3; c.identify[524] = 1 }, eraseUserData, nil, ""},
		{"hard disk", Disk{Bus: BusATA, Rotational: true}, WipeAuto, plain, 0, nil, ""},
		{"SSD", Disk{Bus: BusATA}, WipeAuto, plain, 0, ErrUnverified, "ATA secure erase, also enhanced; frozen by the firmware"},
		{"SSD, overwrite", Disk{Bus: BusATA}, WipeOverwrite, plain, 0, nil, ""},
		{"SSD, said", Disk{Bus: BusATA}, WipeATA, plain, 0, ErrUnverified, "not used in this version"},
		{"card", Disk{Bus: BusMMC}, WipeAuto, plain, 0, ErrUnverified, ""},
		{"Format on another disk", Disk{Bus: BusATA}, WipeNVMe, plain, 0, ErrRefused, "not for this kind of disk"},
		{"secure erase on another disk", Disk{Bus: BusNVMe}, WipeATA, plain, 0, ErrRefused, "not for this kind of disk"},
		{"unknown", Disk{Bus: BusATA}, "melt", plain, 0, ErrRefused, `no method "melt"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newController(1000, 9)
			tt.change(c)
			erase, err := tt.disk.way(tt.method, abilities{
				nvme: func() (nvmeDisk, error) { return lookAtNVMe(c) },
				ata:  func() (ataSecurity, error) { return parseATA(identifyATA(82, 2, 128, 1|1<<3|1<<5)) },
			})
			if erase != tt.erase || !errors.Is(err, tt.is) || tt.is != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "nothing was done")) {
				t.Errorf("erase %d, %v", erase, err)
			}
		})
	}
	broken := errors.New("input/output error")
	if _, err := (Disk{Bus: BusATA}).way(WipeAuto, abilities{ata: func() (ataSecurity, error) { return ataSecurity{}, broken }}); !errors.Is(err, ErrUnverified) || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("a disk that does not answer: %v", err)
	}
}

// identifyATA makes an IDENTIFY DEVICE with the given words.
func identifyATA(words ...uint16) []byte {
	b := make([]byte, 512)
	for ; len(words) >= 2; words = words[2:] {
		binary.LittleEndian.PutUint16(b[2*words[0]:], words[1])
	}
	return b
}

func TestATASecurity(t *testing.T) {
	for _, tt := range []struct {
		words []uint16
		want  string
	}{
		{nil, "no ATA secure erase"},
		{[]uint16{82, 2, 128, 1, 89, 45}, "ATA secure erase; an erase takes 90 min by its own word"},
		{[]uint16{82, 2, 128, 1 | 1<<1 | 1<<2, 59, 1 << 12, 89, 1<<15 | 300}, "ATA secure erase; ATA sanitize; a password is set; locked; an erase takes 600 min by its own word"},
		{[]uint16{82, 2, 128, 1 | 1<<4 | 1<<5}, "ATA secure erase, also enhanced; too many wrong passwords"},
		{[]uint16{82, 0, 128, 1 << 3}, "no ATA secure erase"},
	} {
		s, err := parseATA(identifyATA(tt.words...))
		if err != nil || s.String() != tt.want {
			t.Errorf("%v: %q, %v", tt.words, s, err)
		}
	}
	if _, err := parseATA(identifyATA(0, 1<<15)); err == nil {
		t.Error("an ATAPI device passed for a disk")
	}
}

func FuzzIdentify(f *testing.F) {
	c := newController(1000, 9)
	f.Add(c.identify)
	f.Add(c.space)
	f.Add(identifyATA(82, 2, 128, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseNamespace(b); err == nil {
			if n.SectorSize < 512 || n.SectorSize > 64<<10 || n.command(eraseCrypto)>>9&7 != eraseCrypto {
				t.Errorf("%+v", n)
			}
		}
		if a, err := parseController(b); err == nil && a.String() == "" {
			t.Error("nothing said")
		}
		if a, err := parseATA(b); err == nil && a.String() == "" {
			t.Error("nothing said")
		}
		_ = namespaceIDs(b)
	})
}
