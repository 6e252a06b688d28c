package disk

import (
	"errors"
	"io"
	"testing"
)

// sparse is a disk in memory.
type sparse struct {
	size  int64
	pages map[int64]*[512]byte
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		at := off + int64(i)
		if at >= s.size {
			return i, io.EOF
		}
		p[i] = 0
		if page := s.pages[at/512]; page != nil {
			p[i] = page[at%512]
		}
	}
	return len(p), nil
}

func (s *sparse) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > s.size {
		return 0, errors.New("beyond the end")
	}
	for i, c := range p {
		at := off + int64(i)
		if s.pages[at/512] == nil {
			s.pages[at/512] = new([512]byte)
		}
		s.pages[at/512][at%512] = c
	}
	return len(p), nil
}

func planned(t testing.TB, s Spec, g Geometry) Layout {
	t.Helper()
	l, err := Plan(s, g)
	if err != nil {
		t.Fatal(err)
	}
	l.Identify("disk", "seed")
	return l
}

// What the library writes, our own reader reads; a damaged original is made good by
// the copy, and a disk beyond 2 TiB has the protective MBR that firmware wants.
func TestTablesAreReadBack(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		for _, spec := range []Spec{{Layout: LayoutLinux, Firmware: UEFI, SwapMiB: 64}, {Layout: LayoutLinux, Firmware: BIOS}, {Layout: LayoutWindows, Firmware: UEFI}} {
			for _, size := range []int64{64*gib + 512*8*3, 5 << 40} {
				g := Geometry{Size: size, SectorSize: sector}
				l := planned(t, spec, g)
				d := &sparse{size: size, pages: map[int64]*[512]byte{}}
				if err := WriteTable(d, d, l, size); err != nil {
					t.Fatal(err)
				}
				found, err := ReadTable(d, size, sector)
				if err != nil || !sameTable(found, l) {
					t.Fatalf("%d %s %d: %v\ngot  %s\nwant %s", sector, spec.Layout, size, err, found.Text(), l.Text())
				}
				if l.Table == MBR {
					continue
				}
				entry := d.pages[0][mbrEntries : mbrEntries+16]
				if entry[4] != 0xee || size/int64(sector) > 1<<32 && string(entry[12:16]) != "\xff\xff\xff\xff" {
					t.Errorf("protective MBR % x", entry)
				}
				d.pages[int64(sector)/512][60] ^= 1
				if found, err := ReadTable(d, size, sector); err != nil || !sameTable(found, l) {
					t.Errorf("with the original damaged: %v", err)
				}
				d.pages[(size-int64(sector))/512][60] ^= 1
				if _, err := ReadTable(d, size, sector); !errors.Is(err, errBadTable) {
					t.Errorf("with both damaged: %v", err)
				}
			}
		}
	}
}

func TestLastPartitionGrows(t *testing.T) {
	l := planned(t, Spec{Layout: LayoutLinux, Firmware: UEFI}, Geometry{Size: 4 * gib, SectorSize: 512})
	g := Geometry{Size: 9 * gib, SectorSize: 512}
	growLast(&l, g)
	checkPlan(t, l, g)
	if root, _ := l.Find(RoleRoot); root.End() != 9*gib-mib {
		t.Errorf("the root ends at %d", root.End())
	}
}

func FuzzReadTable(f *testing.F) {
	l := planned(f, Spec{Layout: LayoutLinux, Firmware: UEFI}, Geometry{Size: 2 * gib, SectorSize: 512})
	d := &sparse{size: 2 * gib, pages: map[int64]*[512]byte{}}
	if err := WriteTable(d, d, l, d.size); err != nil {
		f.Fatal(err)
	}
	head := make([]byte, 34*512)
	_, _ = d.ReadAt(head, 0)
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &sparse{size: 2 * gib, pages: map[int64]*[512]byte{}}
		_, _ = d.WriteAt(b[:min(len(b), 64<<10)], 0)
		l, err := ReadLayout(d, d.size, 512)
		if err != nil {
			return
		}
		for _, p := range l.Partitions {
			if p.Start < 0 || p.Size <= 0 || p.End() > d.size {
				t.Errorf("a partition outside of the disk: %+v", p)
			}
		}
	})
}

// TestGrowATableWithoutPartitions: an image's table may be valid and empty.
func TestGrowATableWithoutPartitions(t *testing.T) {
	l := Layout{Format: LayoutFormat, Table: GPT, SectorSize: 512}
	growLast(&l, Geometry{Size: 8 << 20, SectorSize: 512})
	if len(l.Partitions) != 0 {
		t.Errorf("%+v", l)
	}
}
