package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// ReadTable reads a partition table: the GPT at the beginning, else its copy at the
// end, else an MBR. ErrNoTable when there is none.
func ReadTable(r io.ReaderAt, size int64, sector int) (Layout, error) {
	l, err := readGPT(r, int64(sector), size, sector)
	if err == nil {
		return l, nil
	}
	if damaged := err; errors.Is(damaged, errBadTable) {
		if l, err := readGPT(r, size-int64(sector), size, sector); err == nil {
			return l, nil
		}
		return Layout{}, damaged
	}
	first := make([]byte, sector)
	if _, err := r.ReadAt(first, 0); err != nil {
		return Layout{}, fmt.Errorf("read the partition table: %w", err)
	}
	return parseMBR(first, size, sector)
}

// WriteTable writes a layout's table: for a GPT copy and original, each synced in an
// order that a power loss cannot spoil (go-diskfs), and a protective MBR. The boot
// code in the first sector stays.
func WriteTable(w io.ReaderAt, at io.WriterAt, l Layout, size int64) error {
	first := make([]byte, l.SectorSize)
	if _, err := w.ReadAt(first, 0); err != nil {
		return fmt.Errorf("read the first sector: %w", err)
	}
	if err := putMBR(first, l, size); err != nil {
		return err
	}
	if _, err := at.WriteAt(first, 0); err != nil {
		return fmt.Errorf("write the first sector: %w", err)
	}
	if l.Table == MBR {
		return nil
	}
	t := &gpt.Table{LogicalSectorSize: l.SectorSize, PhysicalSectorSize: l.SectorSize, GUID: l.TableID}
	for _, p := range l.Partitions {
		t.Partitions = append(t.Partitions, &gpt.Partition{Index: p.Number, // the library needs it
			Start: uint64(p.Start) / uint64(l.SectorSize), End: uint64(p.End())/uint64(l.SectorSize) - 1,
			Type: gpt.Type(p.Type), Name: p.Name, GUID: strings.ToUpper(p.PartUUID), Attributes: p.Attributes})
	}
	if err := t.Write(backing{w, at}, size); err != nil {
		return fmt.Errorf("write the partition table: %w", err)
	}
	return nil
}

// sameTable reports whether two layouts have the same table.
func sameTable(a, b Layout) bool {
	return a.Table == b.Table && a.TableID == b.TableID && slices.EqualFunc(a.Partitions, b.Partitions, func(p, q Partition) bool {
		return p.Number == q.Number && p.Type == q.Type && p.Name == q.Name && p.Start == q.Start && p.Size == q.Size &&
			p.Attributes == q.Attributes && p.Active == q.Active && p.PartUUID == q.PartUUID
	})
}

// backing is what go-diskfs takes for a disk.
type backing struct {
	io.ReaderAt
	io.WriterAt
}

func (backing) Stat() (fs.FileInfo, error)     { return nil, errors.ErrUnsupported }
func (backing) Read([]byte) (int, error)       { return 0, errors.ErrUnsupported }
func (backing) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }
func (backing) Close() error                   { return os.ErrInvalid }
func (b backing) Sync() error {
	if s, ok := b.WriterAt.(interface{ Sync() error }); ok {
		return s.Sync()
	}
	return nil
}

// assignRoles gives the partitions of a table that was found their roles, by type
// and content. The root is the one that says so, else the largest with a Linux file
// system.
func assignRoles(list []Partition) {
	root := -1
	for i := range list {
		p := &list[i]
		p.Role = RoleData
		switch {
		case p.Type == typeESP || p.Type == "ef":
			p.Role = RoleESP
		case p.Type == typeBIOSBoot:
			p.Role = RoleBIOSBoot
		case p.FS == FSSwap || p.Type == typeSwap || p.Type == "82":
			p.Role = RoleSwap
		case p.Type == typeMSR:
			p.Role = RoleMSR
		case p.Type == typeRecovery || p.Type == "27":
			p.Role = RoleRecovery
		case p.FS == FSNTFS:
			p.Role = RoleWindows
		case !slices.Contains([]string{FSExt4, "ext3", "ext2", FSXFS, "btrfs"}, p.FS):
		case root < 0, rootRank(*p) > rootRank(list[root]), rootRank(*p) == rootRank(list[root]) && p.Size > list[root].Size:
			root = i
		}
	}
	if root >= 0 {
		list[root].Role = RoleRoot
	}
}

func rootRank(p Partition) int {
	if p.Type == typeRootX64 || p.Type == typeRootARM64 {
		return 1
	}
	return 0
}

// ReadLayout reads table and file systems of a disk and gives the partitions their
// roles. A disk whose first sector begins a file system has one partition, number 0,
// and the table Whole.
func ReadLayout(r io.ReaderAt, size int64, sector int) (Layout, error) {
	l, err := ReadTable(r, size, sector)
	if errors.Is(err, ErrNoTable) {
		if c, probeErr := Probe(r); probeErr == nil && c.FS != "" {
			p := Partition{Size: size, FS: c.FS, Label: c.Label, UUID: c.UUID}
			l = Layout{Format: LayoutFormat, Table: Whole, SectorSize: sector, Partitions: []Partition{p}}
			assignRoles(l.Partitions)
			return l, nil
		}
	}
	if err != nil {
		return l, err
	}
	for i := range l.Partitions {
		p := &l.Partitions[i]
		c, err := Probe(io.NewSectionReader(r, p.Start, p.Size))
		if err != nil {
			return l, fmt.Errorf("read partition %d: %w", p.Number, err)
		}
		p.FS, p.Label, p.UUID = c.FS, c.Label, c.UUID
	}
	assignRoles(l.Partitions)
	return l, nil
}

// growLast lets the partition that ends last end where the disk does.
func growLast(l *Layout, g Geometry) {
	if len(l.Partitions) == 0 {
		return
	}
	last := 0
	for i, p := range l.Partitions {
		if p.End() > l.Partitions[last].End() {
			last = i
		}
	}
	p := &l.Partitions[last]
	if end := align + usable(l.Table, g); end > p.End() {
		p.Size = end - p.Start
		if l.Table == MBR {
			p.Size = min(p.Size, int64(1)<<32*int64(g.SectorSize)-int64(g.SectorSize)-p.Start)
		}
	}
}
