package disk

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Linux implements Disks on the machine. Run runs a tool and returns its output;
// its error says that it ended with something else than 0.
type Linux struct {
	Run    func(ctx context.Context, args ...string) (output string, err error)
	Log    *slog.Logger
	Target string // where Mount mounts; empty: TargetRoot
	Loop   bool   // loop devices are disks too: for tests
	Medium string // id of the boot image, when the machine was started from a Slipway medium

	root fs.FS      // empty: the machine's "/"
	mu   sync.Mutex // one change at a time
}

var _ Disks = (*Linux)(nil)

func (m *Linux) fs() fs.FS {
	if m.root != nil {
		return m.root
	}
	return os.DirFS("/")
}

func (m *Linux) target() string {
	if m.Target != "" {
		return m.Target
	}
	return TargetRoot
}

// List implements Disks.
func (m *Linux) List(context.Context) ([]Disk, error) {
	list, err := ReadDisks(m.fs(), m.Loop)
	if err != nil {
		return nil, fmt.Errorf("list the disks: %w", err)
	}
	use := readUse(m.fs(), m.target())
	for i := range list {
		list[i].InUse = use.of(m.fs(), list[i].Name)
	}
	m.markMedia(list)
	return list, nil
}

// find returns the disk with this id.
func (m *Linux) find(id string) (Disk, error) {
	list, err := m.List(context.Background())
	if err != nil {
		return Disk{}, err
	}
	for _, d := range list {
		if d.ID == id {
			return d, nil
		}
	}
	return Disk{}, fmt.Errorf("disk %s: %w: was it taken out?", id, ErrNotFound)
}

// use is what the kernel's lists say of devices, by "major:minor".
type use struct {
	mounts map[string]string
	swaps  map[string]bool // by name below /dev
}

func readUse(root fs.FS, target string) use {
	u := use{mounts: map[string]string{}, swaps: map[string]bool{}}
	for _, mount := range readMounts(root) {
		if !ours(mount.point, target) { // the target's own mounts are this agent's to undo
			u.mounts[mount.device] = mount.point
		}
	}
	for line := range strings.Lines(text2(root, "proc/swaps")) {
		if name, ok := strings.CutPrefix(strings.Fields(line + " -")[0], "/dev/"); ok {
			u.swaps[name] = true
		}
	}
	return u
}

// of says what uses a disk or one of its partitions; empty: nothing.
func (u use) of(root fs.FS, name string) string {
	for _, n := range append([]string{name}, partitionNames(root, name)...) {
		dir := "sys/class/block/" + n
		if point, ok := u.mounts[text(root, dir+"/dev")]; ok {
			return n + " is mounted at " + point
		}
		if u.swaps[n] {
			return n + " is used as swap"
		}
		if holders, _ := fs.ReadDir(root, dir+"/holders"); len(holders) > 0 {
			return n + " is part of " + holders[0].Name()
		}
	}
	return ""
}

// partitionNames lists the partitions that the kernel knows of a disk.
func partitionNames(root fs.FS, disk string) []string {
	var names []string
	entries, _ := fs.ReadDir(root, "sys/block/"+disk)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), disk) && text(root, "sys/block/"+disk+"/"+e.Name()+"/partition") != "" {
			names = append(names, e.Name())
		}
	}
	return names
}

type mountPoint struct{ device, point, fs string }

// readMounts reads /proc/self/mountinfo (proc(5)); mount points with blanks are
// written in octal there.
func readMounts(root fs.FS) []mountPoint {
	var list []mountPoint
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text2(root, "proc/self/mountinfo")) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(f) > 4 && len(kind) > 0 {
			list = append(list, mountPoint{device: f[2], point: unescape.Replace(f[4]), fs: kind[0]})
		}
	}
	return list
}

// text2 reads a text of several lines.
func text2(root fs.FS, name string) string {
	b, _ := fs.ReadFile(root, name)
	return string(b)
}

// ours reports whether a mount point is the target's root, below it, or that of one of
// its partitions (MountPartition).
func ours(point, target string) bool {
	return below(point, target) || strings.HasPrefix(point, target+"-")
}

func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// partitionPath is where the device of a partition is: nvme0n1p2, sda2.
func partitionPath(d Disk, number int) string {
	if number == 0 { // the whole disk (Whole)
		return d.Path
	}
	last := d.Path[len(d.Path)-1]
	if last >= '0' && last <= '9' {
		return fmt.Sprintf("%sp%d", d.Path, number)
	}
	return fmt.Sprintf("%s%d", d.Path, number)
}

// nodePatience bounds the wait for a device's node. The kernel makes it before it
// answers; only where something else manages /dev may it take a moment.
const nodePatience = 5 * time.Second

func waitNode(ctx context.Context, p string) error {
	limit := time.Now().Add(nodePatience)
	for {
		var st unix.Stat_t
		if err := unix.Stat(p, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the kernel made no device %s", filepath.Base(p))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
