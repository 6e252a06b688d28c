package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnverified says that a wipe would leave what nobody can look at. Nothing was done.
var ErrUnverified = errors.New("cannot be verified")

const (
	wipeChunk   = 4 << 20
	wipeSamples = 256
)

// Wipe implements Disks. This version overwrites. Flash memory keeps copies that no
// overwriting reaches, so that NVMe disks and SSDs are only overwritten when the
// method says so, and their own commands are refused until they are proven.
func (m *Linux) Wipe(ctx context.Context, id string, method WipeMethod, progress Progress) (WipeReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unmount(); err != nil {
		return WipeReport{}, err
	}
	d, err := m.find(id)
	if err != nil {
		return WipeReport{}, err
	}
	if _, err := refuse(d, Rule{}); err != nil {
		return WipeReport{}, err
	}
	flash := d.Bus == BusNVMe || d.Bus == BusMMC || !d.Rotational && (d.Bus == BusATA || d.Bus == BusSCSI || d.Bus == BusUSB)
	if method != WipeOverwrite && (method != WipeAuto || flash) {
		return WipeReport{}, fmt.Errorf("%s: %w: what the device's own erase command does is not proven in this version; nothing was done", d, ErrUnverified)
	}
	f, err := exclusive(d, unix.O_DIRECT)
	if err != nil {
		return WipeReport{}, err
	}
	defer f.Close()
	if err := m.tellKernel(ctx, f, d, nil); err != nil {
		return WipeReport{}, err
	}
	t := device{f, d.Size, d.SectorSize}
	if err := overwrite(ctx, t, progress); err != nil {
		return WipeReport{}, fmt.Errorf("%s: overwrite: %w", d, err)
	}
	r := WipeReport{Method: WipeOverwrite, Seed: uint64(time.Now().UnixNano()), Samples: wipeSamples + 2, Details: "overwritten with zeros"}
	if flash {
		r.Details += "; memory cells that the device set aside were not reached"
	}
	progress(-1, "Reading back")
	if err := zeroSamples(ctx, t, r.Seed); err != nil {
		return WipeReport{}, fmt.Errorf("%s was not wiped: %w", d, err)
	}
	return r, nil
}

// pages is memory that direct reading and writing take: it begins at a page.
func pages(n int) ([]byte, func(), error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("memory for the disk: %w", err)
	}
	return b, func() { _ = unix.Munmap(b) }, nil
}

func overwrite(ctx context.Context, t device, progress Progress) error {
	zeros, free, err := pages(wipeChunk)
	if err != nil {
		return err
	}
	defer free()
	for at := int64(0); at < t.size; at += wipeChunk {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := t.WriteAt(zeros[:min(wipeChunk, t.size-at)], at); err != nil {
			return err
		}
		if at%(64*wipeChunk) == 0 {
			progress(int(100*(at/wipeChunk)/(t.size/wipeChunk+1)), "Overwriting")
		}
	}
	return t.Sync()
}

// zeroSamples reads both ends and places that follow from the seed, past every cache
// of this machine, and holds them against zeros.
func zeroSamples(ctx context.Context, t device, seed uint64) error {
	const n = 64 << 10
	got, free, err := pages(n)
	if err != nil {
		return err
	}
	defer free()
	zeros := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0))
	size := min(int64(n), t.size)
	places := []int64{0, t.size - size}
	for range wipeSamples {
		places = append(places, down(r.Int64N(t.size-size+1), int64(t.sector)))
	}
	for _, at := range places {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := t.ReadAt(got[:size], at); err != nil {
			return fmt.Errorf("read back at %d: %w", at, err)
		}
		if !bytes.Equal(got[:size], zeros[:size]) {
			return fmt.Errorf("old content is still readable at byte %d (seed %d)", at, seed)
		}
	}
	return nil
}
