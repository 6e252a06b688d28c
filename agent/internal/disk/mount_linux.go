package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/durable"
)

// Mount implements Disks.
func (m *Linux) Mount(ctx context.Context, l Layout) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted, err := m.points(l)
	if err != nil {
		return "", err
	}
	devices := map[string]string{}
	right := true
	for point, p := range wanted {
		path := ""
		if path, err = m.Device(ctx, l, p.Number); err != nil {
			return "", err
		}
		devices[point] = path
		right = right && m.mountedAt(point) == deviceNumber(path)
	}
	if right {
		return m.target(), nil
	}
	if err := m.unmount(); err != nil {
		return "", err
	}
	for _, point := range slices.Sorted(mapsKeys(wanted)) { // the root comes first
		if err := mount(devices[point], point, wanted[point].FS); err != nil {
			return "", errors.Join(err, m.unmount())
		}
	}
	return m.target(), nil
}

// points says which partition of a layout is mounted where.
func (m *Linux) points(l Layout) (map[string]Partition, error) {
	esp, hasESP := l.Find(RoleESP)
	root, ok := l.Find(RoleRoot)
	switch _, windows := l.Find(RoleWindows); {
	case ok && hasESP:
		return map[string]Partition{m.target(): root, filepath.Join(m.target(), "boot/efi"): esp}, nil
	case ok:
		return map[string]Partition{m.target(): root}, nil
	case windows && hasESP:
		return map[string]Partition{m.target(): esp}, nil
	}
	return nil, errors.New("the target disk has no root file system")
}

func mapsKeys(in map[string]Partition) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range in {
			if !yield(k) {
				return
			}
		}
	}
}

func mount(device, point, fs string) error {
	if fs == "" {
		return fmt.Errorf("%s holds no file system that is known", device)
	}
	if err := os.MkdirAll(point, 0o755); err != nil {
		return err
	}
	data := ""
	if fs == FSVFAT {
		data = "umask=0077"
	}
	err := unix.Mount(device, point, fs, 0, data)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("mount %s: the boot image's kernel knows no file system %s", device, fs)
	}
	if err != nil {
		return fmt.Errorf("mount %s (%s) at %s: %w", device, fs, point, err)
	}
	return nil
}

// mountedAt returns "major:minor" of what is mounted on top at point, or "".
func (m *Linux) mountedAt(point string) string {
	device := ""
	for _, one := range readMounts(os.DirFS("/")) {
		if one.point == point {
			device = one.device
		}
	}
	return device
}

func deviceNumber(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "no device"
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
}

// Settle waits until all that was written to the mounted target is on the disk.
func (m *Linux) Settle() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range readMounts(os.DirFS("/")) {
		if !ours(one.point, m.target()) {
			continue
		}
		if err := durable.FileSystem(os.Open(one.point)); err != nil {
			return fmt.Errorf("write %s to the disk: %w", one.point, err)
		}
	}
	return nil
}

// Unmount implements Disks.
func (m *Linux) Unmount(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unmount()
}

func (m *Linux) unmount() error {
	var points []string
	for _, one := range readMounts(os.DirFS("/")) {
		if ours(one.point, m.target()) {
			points = append(points, one.point)
		}
	}
	slices.SortStableFunc(points, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the deepest first
	for _, point := range points {
		if err := unix.Unmount(point, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}
