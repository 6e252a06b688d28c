package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// Drives is how Windows tells of its disks. Nothing of them is read or written by it.
type Drives interface {
	// Disks lists the disks with their numbers, which diskpart and
	// \\.\PhysicalDrive<number> have for them.
	Disks() ([]Drive, error)
	// Layout reads the table of a disk: its kind and id, and where partitions lie.
	Layout(number int) (Layout, error)
	// Letters says which partition each drive letter stands for.
	Letters() (map[string]Place, error)
}

// Drive is a disk of Windows.
type Drive struct {
	Disk
	Number int `json:"number"`
}

// Place is a partition of a disk.
type Place struct {
	Disk      int `json:"disk"`
	Partition int `json:"partition"`
}

// Windows implements Disks: diskpart makes partitions and file systems. Disks are only
// looked at otherwise; what streams to disks is the Linux boot image's to do.
type Windows struct {
	Drives Drives
	// Run runs a tool and returns its output; its error says that it ended with
	// something else than 0.
	Run func(ctx context.Context, args ...string) (output string, err error)
	// Script keeps a text for as long as a tool reads it, and returns its path.
	Script func(text string) (path string, remove func(), err error)
	System string // letter of the drive that the running Windows lies on

	mu     sync.Mutex // one change at a time
	target string     // root of the target's Windows partition, once it has a drive letter
}

var _ Disks = (*Windows)(nil)

// List implements Disks.
func (m *Windows) List(context.Context) ([]Disk, error) {
	list, err := m.drives()
	if err != nil {
		return nil, err
	}
	out := make([]Disk, len(list))
	for i, d := range list {
		out[i] = d.Disk
	}
	return out, nil
}

func (m *Windows) drives() ([]Drive, error) {
	list, err := m.Drives.Disks()
	if err != nil {
		return nil, fmt.Errorf("list the disks: %w", err)
	}
	used, err := m.Drives.Letters()
	if err != nil {
		return nil, fmt.Errorf("list the drives: %w", err)
	}
	if place, ok := used[m.System]; ok {
		for i := range list {
			if list[i].Number == place.Disk {
				list[i].InUse = "Windows runs from it"
			}
		}
	}
	uniqueDrives(list)
	slices.SortStableFunc(list, func(a, b Drive) int {
		if nvme := b2i(b.Bus == BusNVMe) - b2i(a.Bus == BusNVMe); nvme != 0 {
			return nvme
		}
		return a.Number - b.Number
	})
	return list, nil
}

// uniqueDrives makes ids unique: logical drives of one controller share model and
// serial number.
func uniqueDrives(list []Drive) {
	count := map[string]int{}
	for _, d := range list {
		count[d.ID]++
	}
	for i, d := range list {
		if count[d.ID] > 1 {
			list[i].ID += fmt.Sprintf("#%d", d.Number)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *Windows) find(id string) (Drive, error) {
	list, err := m.drives()
	if err != nil {
		return Drive{}, err
	}
	list = slices.DeleteFunc(list, func(d Drive) bool { return d.ID != id })
	switch len(list) {
	case 0:
		return Drive{}, fmt.Errorf("disk %s: %w: was it taken out?", id, ErrNotFound)
	case 1:
		return list[0], nil
	}
	return Drive{}, fmt.Errorf("%w: %d disks are called %s", ErrRefused, len(list), id)
}

// disk finds the disk of a layout. Numbers of disks may change with a restart: where
// they are part of the id, the size tells whether it is another disk now.
func (m *Windows) disk(l Layout) (Drive, error) {
	d, err := m.find(l.Disk)
	if err == nil && l.DiskSize != 0 && d.Size != l.DiskSize {
		return Drive{}, fmt.Errorf("%w: %s has %d bytes, and the disk that was chosen has %d", ErrRefused, d, d.Size, l.DiskSize)
	}
	return d, err
}

// Prepare implements Disks.
func (m *Windows) Prepare(ctx context.Context, l Layout, progress Progress) (Layout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.disk(l)
	if err != nil {
		return l, err
	}
	if _, err := refuse(d.Disk, Rule{}); err != nil {
		return l, err
	}
	free, err := m.free()
	if err != nil {
		return l, err
	}
	give := map[Role]string{}
	for _, role := range []Role{RoleWindows, RoleESP} {
		if give[role], err = free.take(letters[role], d.Number); err != nil {
			return l, err
		}
	}
	script, err := diskpartScript(l, d.Number, give)
	if err != nil {
		return l, err
	}
	progress(-1, "partitioning "+d.String())
	m.target = ""
	if err := m.diskpart(ctx, script); err != nil {
		return l, err
	}
	l, err = m.compare(l, d.Number)
	if err == nil && give[RoleWindows] != "" {
		m.target = give[RoleWindows] + `:\`
	}
	return l, err
}

// compare reads the disk back and takes over the ids that Windows gave.
func (m *Windows) compare(l Layout, number int) (Layout, error) {
	found, err := m.Drives.Layout(number)
	if err != nil {
		return l, fmt.Errorf("read the new partitions back: %w", err)
	}
	if why := otherwise(l, found); why != "" {
		return l, fmt.Errorf("the disk does not hold what diskpart was told: %s", why)
	}
	l.Partitions = slices.Clone(l.Partitions)
	for i := range l.Partitions {
		if id := found.Partitions[i].PartUUID; id != "" {
			l.Partitions[i].PartUUID = id
		}
		if l.Partitions[i].FS != "" {
			l.Partitions[i].UUID = "" // Windows drew it, and does not name file systems so
		}
	}
	return l, nil
}

// otherwise says in what a disk is not as planned.
func otherwise(l, found Layout) string {
	switch {
	case found.Table != l.Table:
		return fmt.Sprintf("its table is %s, not %s", found.Table, l.Table)
	case !strings.EqualFold(found.TableID, l.TableID):
		return fmt.Sprintf("its id is %s, not %s", found.TableID, l.TableID)
	case len(found.Partitions) != len(l.Partitions):
		return fmt.Sprintf("it has %d partitions, not %d", len(found.Partitions), len(l.Partitions))
	}
	for i, p := range l.Partitions {
		if f := found.Partitions[i]; f.Start != p.Start || f.Size != p.Size {
			return fmt.Sprintf("partition %d begins at %d and has %d bytes, not %d and %d", p.Number, f.Start, f.Size, p.Start, p.Size)
		}
	}
	return ""
}

// Holds implements Disks. The disk's id follows from the step, and is set last: nobody
// else made it, and what has it is complete.
func (m *Windows) Holds(_ context.Context, l Layout) (bool, error) {
	d, err := m.disk(l)
	if err != nil {
		return false, err
	}
	found, err := m.Drives.Layout(d.Number)
	if errors.Is(err, ErrNoTable) {
		return false, nil
	}
	return err == nil && otherwise(l, found) == "", err
}

func (m *Windows) diskpart(ctx context.Context, script string) error {
	path, remove, err := m.Script(script)
	if err != nil {
		return fmt.Errorf("write the script for diskpart: %w", err)
	}
	defer remove()
	output, err := m.Run(ctx, "diskpart.exe", "/s", path)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(output))
	}
	return nil
}

// lastLines is the end of what a tool said, in one line.
func lastLines(output string) string {
	words := strings.Join(strings.Fields(output), " ")
	return strings.ToValidUTF8(words[max(0, len(words)-300):], "")
}

// ScriptFile keeps scripts as files in dir.
func ScriptFile(dir string) func(text string) (string, func(), error) {
	return func(text string) (string, func(), error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, err
		}
		f, err := os.CreateTemp(dir, "diskpart-*.txt")
		if err != nil {
			return "", nil, err
		}
		_, err = f.WriteString(text)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", nil, errors.Join(err, os.Remove(f.Name()))
		}
		return f.Name(), func() { _ = os.Remove(f.Name()) }, nil
	}
}
