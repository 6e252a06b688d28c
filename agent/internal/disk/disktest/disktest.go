// Package disktest holds disks in memory that are as strict as a kernel: for the
// tests of what works on disk.Disks.
package disktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"slipway/agent/internal/disk"
)

// Disks implements disk.Disks. Fail, when set, is asked before every call and may
// refuse it: what is "prepare", "open", "mount" and so on.
type Disks struct {
	Root string // where Mount "mounts": a folder of the test
	Fail func(what, id string) error

	mu      sync.Mutex
	t       testing.TB
	disks   []*fakeDisk
	mounted string // id of the disk that is mounted
	calls   []string
}

type fakeDisk struct {
	disk.Disk
	pages  map[int64][]byte
	layout *disk.Layout
	opened int
}

var _ disk.Disks = (*Disks)(nil)

// New returns the given disks, empty. At the end of the test nothing may be open.
func New(t testing.TB, disks ...disk.Disk) *Disks {
	d := &Disks{t: t, Root: t.TempDir()}
	for _, one := range disks {
		if one.SectorSize == 0 {
			one.SectorSize = 512
		}
		d.disks = append(d.disks, &fakeDisk{Disk: one, pages: map[int64][]byte{}})
	}
	t.Cleanup(func() {
		for _, f := range d.disks {
			if f.opened > 0 {
				t.Errorf("disk %s was left open", f.ID)
			}
		}
	})
	return d
}

// Calls returns what was done, in order: "prepare sda", "mount sda", ...
func (d *Disks) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// begin notes a call and returns the disk with d locked; the caller unlocks.
func (d *Disks) begin(what, id string) (*fakeDisk, error) {
	d.mu.Lock()
	d.calls = append(d.calls, what+" "+id)
	if d.Fail != nil {
		if err := d.Fail(what, id); err != nil {
			return nil, err
		}
	}
	for _, f := range d.disks {
		if f.ID == id {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", disk.ErrNotFound, id)
}

func (d *Disks) free(f *fakeDisk) error {
	if f.opened > 0 || d.mounted == f.ID || f.InUse != "" {
		return fmt.Errorf("%s: %w", f.ID, disk.ErrInUse)
	}
	return nil
}

// List implements disk.Disks.
func (d *Disks) List(context.Context) ([]disk.Disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []disk.Disk
	for _, f := range d.disks {
		list = append(list, f.Disk)
	}
	return list, nil
}

// Prepare implements disk.Disks.
func (d *Disks) Prepare(_ context.Context, l disk.Layout, progress disk.Progress) (disk.Layout, error) {
	f, err := d.begin("prepare", l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return disk.Layout{}, err
	}
	if l.TableID == "" {
		d.t.Errorf("Prepare without ids: call Layout.Identify")
	}
	if d.mounted == f.ID {
		d.mounted = ""
	}
	if err := d.free(f); err != nil {
		return disk.Layout{}, err
	}
	for i, p := range l.Partitions {
		if p.Start < 0 || p.End() > f.Size || i > 0 && p.Start < l.Partitions[i-1].End() || p.Start%int64(f.SectorSize) != 0 {
			return disk.Layout{}, fmt.Errorf("partition %d lies where it cannot be", p.Number)
		}
	}
	progress(100, "")
	f.pages, f.layout = map[int64][]byte{}, &l
	return l, nil
}

// Holds implements disk.Disks.
func (d *Disks) Holds(_ context.Context, l disk.Layout) (bool, error) {
	f, err := d.begin("holds", l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return false, err
	}
	return f.layout != nil && f.layout.Text() == l.Text(), nil
}

// SetLayout says what Reread finds from now on, as after a raw image was written.
func (d *Disks) SetLayout(id string, l disk.Layout) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.disks {
		if f.ID == id {
			f.layout = &l
		}
	}
}

// Reread implements disk.Disks: it finds what Prepare or SetLayout gave.
func (d *Disks) Reread(_ context.Context, id string) (disk.Layout, error) {
	return d.reread("reread", id)
}

// Tables implements disk.Disks.
func (d *Disks) Tables(context.Context) ([]disk.Layout, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Fail != nil {
		if err := d.Fail("tables", ""); err != nil {
			return nil, err
		}
	}
	var list []disk.Layout
	for _, f := range d.disks {
		if f.layout != nil {
			list = append(list, *f.layout)
		}
	}
	return list, nil
}

// Grow implements disk.Disks; nothing grows.
func (d *Disks) Grow(_ context.Context, id string, _ bool) (disk.Layout, error) {
	return d.reread("grow", id)
}

func (d *Disks) reread(what, id string) (disk.Layout, error) {
	f, err := d.begin(what, id)
	defer d.mu.Unlock()
	switch {
	case err != nil:
		return disk.Layout{}, err
	case d.free(f) != nil:
		return disk.Layout{}, d.free(f)
	case f.layout == nil:
		return disk.Layout{}, disk.ErrNoTable
	}
	return *f.layout, nil
}

// Device implements disk.Disks.
func (d *Disks) Device(_ context.Context, l disk.Layout, number int) (string, error) {
	f, err := d.begin("device", l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d", f.Path, number), nil
}

// Renew implements disk.Disks.
func (d *Disks) Renew(_ context.Context, l disk.Layout, number int) error {
	f, err := d.begin(fmt.Sprintf("renew %d of", number), l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.free(f)
}

// MountPartition implements disk.Disks: all partitions are the folder Root.
func (d *Disks) MountPartition(_ context.Context, l disk.Layout, number int) (string, func() error, error) {
	f, err := d.begin(fmt.Sprintf("mount %d of", number), l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return "", nil, err
	}
	f.opened++
	return d.Root, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.opened--
		return nil
	}, nil
}

// Mount implements disk.Disks.
func (d *Disks) Mount(_ context.Context, l disk.Layout) (string, error) {
	f, err := d.begin("mount", l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return "", err
	}
	if _, ok := l.Find(disk.RoleRoot); !ok {
		return "", fmt.Errorf("the layout has no root")
	}
	if d.mounted != f.ID {
		if err := d.free(f); err != nil {
			return "", err
		}
	}
	d.mounted = f.ID
	return d.Root, nil
}

// Mounted returns the id of the disk that is mounted, or "".
func (d *Disks) Mounted() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mounted
}

// Unmount implements disk.Disks.
func (d *Disks) Unmount(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, "unmount")
	d.mounted = ""
	return nil
}

// Wipe implements disk.Disks.
func (d *Disks) Wipe(_ context.Context, id string, method disk.WipeMethod, progress disk.Progress) (disk.WipeReport, error) {
	f, err := d.begin("wipe", id)
	defer d.mu.Unlock()
	if err != nil {
		return disk.WipeReport{}, err
	}
	if err := d.free(f); err != nil {
		return disk.WipeReport{}, err
	}
	progress(100, "")
	f.pages, f.layout = map[int64][]byte{}, nil
	if method == disk.WipeAuto {
		method = disk.WipeOverwrite
	}
	return disk.WipeReport{Method: method, Samples: 1, Seed: 1}, nil
}
