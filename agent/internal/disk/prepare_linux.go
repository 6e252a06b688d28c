package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// signatureBytes is how much is zeroed at each end of disk and partitions: all
// superblocks, both GPTs and the labels of md, LVM and ZFS lie in it.
const signatureBytes = 1 << 20

// Prepare implements Disks.
func (m *Linux) Prepare(ctx context.Context, l Layout, progress Progress) (Layout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range l.Partitions {
		if err := haveTool(p.FS); err != nil {
			return Layout{}, err // before anything is lost
		}
	}
	if err := m.unmount(); err != nil {
		return Layout{}, err
	}
	d, err := m.find(l.Disk)
	if err != nil {
		return Layout{}, err
	}
	if d.InUse != "" || d.Boot || d.ReadOnly {
		_, err := refuse(d, Rule{})
		return Layout{}, err
	}
	progress(0, "Writing the partition table")
	if err := m.rewrite(ctx, d, l); err != nil {
		return Layout{}, fmt.Errorf("%s: %w", d, err)
	}
	for i, p := range l.Partitions {
		if p.FS == "" {
			continue
		}
		progress(10+80*i/len(l.Partitions), fmt.Sprintf("Making file system %s on partition %d", p.FS, p.Number))
		if err := m.makeFS(ctx, p, partitionPath(d, p.Number)); err != nil {
			return Layout{}, fmt.Errorf("make the file system of partition %d (%s): %w", p.Number, p.Role, err)
		}
	}
	progress(95, "Reading back")
	return m.verify(d, l)
}

// rewrite wipes old signatures and writes the table, alone on the disk.
func (m *Linux) rewrite(ctx context.Context, d Disk, l Layout) error {
	f, err := exclusive(d, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	t := device{f, d.Size, d.SectorSize}
	old, err := ReadTable(f, d.Size, d.SectorSize)
	if err != nil && !errors.Is(err, ErrNoTable) && !errors.Is(err, errBadTable) {
		return err
	}
	if err := m.tellKernel(ctx, f, d, nil); err != nil {
		return err
	}
	ranges := []Partition{{Size: d.Size}}
	ranges = append(append(ranges, old.Partitions...), l.Partitions...)
	for _, p := range ranges {
		if err := wipeSignatures(t, p); err != nil {
			return fmt.Errorf("wipe old signatures: %w", err)
		}
	}
	if err := WriteTable(f, f, l, d.Size); err != nil {
		return err
	}
	if err := forget(f); err != nil {
		return err
	}
	found, err := ReadTable(f, d.Size, d.SectorSize)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !sameTable(found, l) {
		return errors.New("the disk does not hold the partition table that was written: it is failing")
	}
	return m.tellKernel(ctx, f, d, l.Partitions)
}

func wipeSignatures(t Target, p Partition) error {
	sector := int64(t.SectorSize())
	end := min(down(p.End(), sector), t.Size())
	start := min(p.Start, end)
	n := min(int64(signatureBytes), end-start)
	if n <= 0 {
		return nil
	}
	if err := t.Zero(start, n); err != nil {
		return err
	}
	return t.Zero(end-n, n)
}

// findTool looks where the tool pack puts its programs, and along the PATH.
func findTool(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if info, err := os.Stat(dir + "/" + name); err == nil && info.Mode().IsRegular() {
			return dir + "/" + name, nil
		}
	}
	p, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w (%s)", ErrNoTools, name)
	}
	return p, nil
}

func haveTool(fs string) error {
	if fs == "" || fs == FSSwap {
		return nil
	}
	tool, ok := tools[fs]
	if !ok {
		return fmt.Errorf("this version cannot make %s file systems on Linux", fs)
	}
	_, err := findTool(tool)
	return err
}

// makeFS makes a file system on the partition's own device: its size is then the
// partition's real one.
func (m *Linux) makeFS(ctx context.Context, p Partition, path string) error {
	if p.FS == FSSwap {
		return makeSwap(p, path)
	}
	tool, err := findTool(tools[p.FS])
	if err != nil {
		return err
	}
	if p.FS == FSNTFS {
		return m.makeNTFS(ctx, tool, p, path)
	}
	args := map[string][]string{
		FSVFAT: {"-F", "32", "-n", p.Label, "-i", strings.ReplaceAll(p.UUID, "-", "")},
		// -M: the kernel notes where it mounted a file system only some time later, and
		// after a power loss the boot image looks for its state by that note.
		FSExt4: {"-q", "-F", "-M", TargetRoot, "-L", p.Label, "-U", p.UUID},
	}[p.FS]
	if p.FS == FSVFAT && p.Role != RoleESP && p.Size < leastESP*mib {
		args[1] = "16"
	}
	output, err := m.Run(ctx, append(append([]string{tool}, args...), path)...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(output))
	}
	return nil
}

func makeSwap(p Partition, path string) error {
	f, err := openDevice(path, os.O_RDWR|unix.O_EXCL)
	if err != nil {
		return err
	}
	return errors.Join(writeSwap(f, p.Size, p.Label, p.UUID), f.Sync(), f.Close())
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// verify reads table and file systems back and holds them against the plan.
func (m *Linux) verify(d Disk, l Layout) (Layout, error) {
	found, err := readLayout(d)
	if err != nil {
		return Layout{}, fmt.Errorf("%s: read back: %w", d, err)
	}
	if why := differs(found, l); why != "" {
		return Layout{}, fmt.Errorf("%s does not hold what was written: %s", d, why)
	}
	return l, nil
}

// differs says in what a disk differs from a layout.
func differs(found, l Layout) string {
	if !sameTable(found, l) {
		return "the partition table"
	}
	for i, p := range l.Partitions {
		if f := found.Partitions[i]; f.FS != p.FS || !strings.EqualFold(f.UUID, p.UUID) || f.Label != p.Label {
			return fmt.Sprintf("the file system of partition %d is %q %q %q", p.Number, f.FS, f.Label, f.UUID)
		}
	}
	return ""
}

// readLayout reads table and file systems from the disk itself.
func readLayout(d Disk) (Layout, error) {
	f, err := os.Open(d.Path)
	if err != nil {
		return Layout{}, err
	}
	defer f.Close()
	if err := forget(f); err != nil {
		return Layout{}, err
	}
	l, err := ReadLayout(f, d.Size, d.SectorSize)
	l.Disk = d.ID
	return l, err
}

// Holds implements Disks.
func (m *Linux) Holds(_ context.Context, l Layout) (bool, error) {
	d, err := m.find(l.Disk)
	if err != nil {
		return false, err
	}
	found, err := readLayout(d)
	if errors.Is(err, ErrNoTable) || errors.Is(err, errBadTable) {
		return false, nil
	}
	return err == nil && differs(found, l) == "", err
}

// Reread implements Disks.
func (m *Linux) Reread(ctx context.Context, id string) (Layout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reread(ctx, id)
}

func (m *Linux) reread(ctx context.Context, id string) (Layout, error) {
	d, err := m.find(id)
	if err != nil {
		return Layout{}, err
	}
	l, err := readLayout(d)
	if err != nil {
		return Layout{}, fmt.Errorf("%s: %w", d, err)
	}
	f, err := openDevice(d.Path, os.O_RDONLY)
	if err != nil {
		return Layout{}, err
	}
	defer f.Close()
	list := l.Partitions
	if l.Table == Whole {
		list = nil
	}
	return l, m.tellKernel(ctx, f, d, list)
}

// Tables implements Disks.
func (m *Linux) Tables(ctx context.Context) ([]Layout, error) {
	disks, err := m.List(ctx)
	if err != nil {
		return nil, err
	}
	return readTables(disks)
}

func readTables(disks []Disk) ([]Layout, error) {
	var list []Layout
	for _, d := range disks {
		f, err := os.Open(d.Path)
		if err != nil {
			return nil, fmt.Errorf("open the disk: %w", err)
		}
		l, err := ReadTable(f, d.Size, d.SectorSize)
		f.Close()
		if errors.Is(err, ErrNoTable) || errors.Is(err, errBadTable) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		l.Disk = d.ID
		list = append(list, l)
	}
	return list, nil
}

// Grow implements Disks.
func (m *Linux) Grow(ctx context.Context, id string, last bool) (Layout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.find(id)
	if err != nil {
		return Layout{}, err
	}
	f, err := exclusive(d, 0)
	if err != nil {
		return Layout{}, err
	}
	defer f.Close()
	l, err := ReadTable(f, d.Size, d.SectorSize)
	if err != nil {
		return Layout{}, fmt.Errorf("%s: %w", d, err)
	}
	if last {
		growLast(&l, d.Geometry())
	}
	if err := WriteTable(f, f, l, d.Size); err != nil {
		return Layout{}, fmt.Errorf("%s: %w", d, err)
	}
	if err := forget(f); err != nil {
		return Layout{}, err
	}
	return m.reread(ctx, id)
}
