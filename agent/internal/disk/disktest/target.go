package disktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"slipway/agent/internal/disk"
)

const page = 4096

// Open implements disk.Disks.
func (d *Disks) Open(_ context.Context, id string, o disk.OpenOptions) (disk.Target, error) {
	f, err := d.begin("open", id)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if f.ReadOnly && !o.ReadOnly {
		return nil, fmt.Errorf("%s: the disk is read-only", f.ID)
	}
	return d.open(f, 0, f.Size, o)
}

// OpenPartition implements disk.Disks.
func (d *Disks) OpenPartition(_ context.Context, l disk.Layout, number int, o disk.OpenOptions) (disk.Target, error) {
	f, err := d.begin("open-partition", l.Disk)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	p, ok := l.Partition(number)
	if !ok {
		return nil, fmt.Errorf("there is no partition %d", number)
	}
	return d.open(f, p.Start, p.Size, o)
}

func (d *Disks) open(f *fakeDisk, start, size int64, o disk.OpenOptions) (disk.Target, error) {
	if err := d.free(f); err != nil {
		return nil, err
	}
	f.opened++
	return &target{d: d, f: f, start: start, size: size, o: o}, nil
}

// target is an opened part of a disk.
type target struct {
	d           *Disks
	f           *fakeDisk
	start, size int64
	o           disk.OpenOptions
	once        sync.Once
	closed      bool
}

func (t *target) Size() int64     { return t.size }
func (t *target) SectorSize() int { return t.f.SectorSize }

// check refuses what a kernel refuses.
func (t *target) check(off, n int64, aligned bool) error {
	sector := int64(t.f.SectorSize)
	switch {
	case t.closed:
		return errors.New("the disk is closed")
	case off < 0 || n < 0 || off+n > t.size:
		return fmt.Errorf("%d bytes at %d: the disk ends at %d", n, off, t.size)
	case aligned && (off%sector != 0 || n%sector != 0):
		return fmt.Errorf("%d bytes at %d: not whole sectors", n, off)
	}
	return nil
}

func (t *target) ReadAt(p []byte, off int64) (int, error) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	n := min(int64(len(p)), max(0, t.size-off))
	if err := t.check(off, n, t.o.Direct); err != nil {
		return 0, err
	}
	for done := int64(0); done < n; {
		at := t.start + off + done
		part := p[done:min(n, done+page-at%page)]
		clear(part)
		if b := t.f.pages[at/page]; b != nil {
			copy(part, b[at%page:])
		}
		done += int64(len(part))
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func (t *target) WriteAt(p []byte, off int64) (int, error) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.o.ReadOnly {
		return 0, errors.New("opened for reading only")
	}
	if err := t.check(off, int64(len(p)), t.o.Direct); err != nil {
		return 0, err
	}
	if t.d.Fail != nil {
		if err := t.d.Fail("write", t.f.ID); err != nil {
			return 0, err
		}
	}
	for done := 0; done < len(p); {
		at := t.start + off + int64(done)
		b := t.f.pages[at/page]
		if b == nil {
			b = make([]byte, page)
			t.f.pages[at/page] = b
		}
		done += copy(b[at%page:], p[done:])
	}
	return len(p), nil
}

func (t *target) Zero(off, n int64) error {
	t.d.mu.Lock()
	err := t.check(off, n, true)
	t.d.mu.Unlock()
	if err != nil {
		return err
	}
	t.clear(off, n, 0)
	return nil
}

// Discard leaves bytes that nobody may rely on.
func (t *target) Discard(off, n int64) error {
	t.d.mu.Lock()
	err := t.check(off, n, true)
	t.d.mu.Unlock()
	if err != nil {
		return err
	}
	t.clear(off, n, 0xa5)
	return nil
}

// clear fills a range; of pages that nothing was written to, nothing becomes known.
func (t *target) clear(off, n int64, fill byte) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	for number, b := range t.f.pages {
		for i := range b {
			if at := number*page + int64(i) - t.start; at >= off && at < off+n {
				b[i] = fill
			}
		}
	}
}

func (t *target) Sync() error { return nil }

func (t *target) Close() error {
	err := errors.New("closed twice")
	t.once.Do(func() {
		t.d.mu.Lock()
		defer t.d.mu.Unlock()
		t.closed = true
		t.f.opened--
		err = nil
	})
	return err
}
