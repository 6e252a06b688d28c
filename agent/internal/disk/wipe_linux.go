package disk

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const wipeChunk = 4 << 20

// Wipe implements Disks.
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
	f, err := exclusive(d, unix.O_DIRECT)
	if err != nil {
		return WipeReport{}, err
	}
	defer f.Close()
	var nvme nvmeDisk
	erase, err := d.way(method, abilities{
		nvme: func() (_ nvmeDisk, err error) { nvme, err = lookAtNVMe(nvmeFile{f}); return nvme, err },
		ata:  func() (ataSecurity, error) { return askATA(f) },
	})
	if err != nil {
		return WipeReport{}, err
	}
	if err := m.tellKernel(ctx, f, d, nil); err != nil {
		return WipeReport{}, err
	}
	buffer, free, err := pages(wipeChunk)
	if err != nil {
		return WipeReport{}, err
	}
	defer free()
	r, t := WipeReport{Method: WipeOverwrite, Seed: uint64(time.Now().UnixNano()), Samples: proofSamples}, device{f, d.Size, d.SectorSize}
	if erase == 0 {
		r.Details = "overwritten with zeros"
		if d.Flash() {
			r.Details += "; memory cells that the device set aside were not reached"
		}
		err = overwriteDisk(ctx, t, r.Seed, buffer, progress)
	} else {
		r.Method = map[uint32]WipeMethod{eraseUserData: WipeNVMe, eraseCrypto: WipeNVMeCrypto}[erase]
		r.Details, err = formatDisk(ctx, t, nvme, erase, r.Seed, buffer, progress)
	}
	if err != nil {
		return WipeReport{}, fmt.Errorf("%s was not wiped: %w", d, err)
	}
	return r, nil
}

// formatDisk lets an NVMe disk erase itself, and looks whether what lay on it is gone.
func formatDisk(ctx context.Context, t Target, n nvmeDisk, erase uint32, seed uint64, buffer []byte, progress Progress) (details string, err error) {
	if int64(n.now.SectorSize) != int64(t.SectorSize()) || int64(n.now.Sectors)*int64(n.now.SectorSize) != t.Size() {
		return "", fmt.Errorf("%w: the controller speaks of %d sectors of %d bytes, the kernel of %d bytes in all; nothing was done",
			ErrUnverified, n.now.Sectors, n.now.SectorSize, t.Size())
	}
	progress(-1, "Reading what lies on the disk")
	before, err := gather(ctx, t, t.Size(), t.SectorSize(), seed, buffer)
	if err == nil {
		err = t.Sync()
	}
	if err == nil {
		err = n.format(ctx, erase, progress)
	}
	if err != nil {
		return "", err
	}
	progress(-1, "Reading back")
	reads, err := before.gone(ctx, t, buffer)
	if err != nil {
		return "", err
	}
	name := map[uint32]string{eraseUserData: "user data erase", eraseCrypto: "cryptographic erase"}[erase]
	return fmt.Sprintf("NVMe Format, %s; the disk reads as %s", name, reads), nil
}

// pages is memory that direct reading and writing take: it begins at a page.
func pages(n int) ([]byte, func(), error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("memory for the disk: %w", err)
	}
	return b, func() { _ = unix.Munmap(b) }, nil
}

// overwriteDisk writes zeros over all of a disk, and reads back.
func overwriteDisk(ctx context.Context, t Target, seed uint64, buffer []byte, progress Progress) error {
	clear(buffer)
	for at := int64(0); at < t.Size(); at += wipeChunk {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := t.WriteAt(buffer[:min(wipeChunk, t.Size()-at)], at); err != nil {
			return fmt.Errorf("overwrite: %w", err)
		}
		if at%(64*wipeChunk) == 0 {
			progress(int(100*(at/wipeChunk)/(t.Size()/wipeChunk+1)), "Overwriting")
		}
	}
	if err := t.Sync(); err != nil {
		return fmt.Errorf("overwrite: %w", err)
	}
	progress(-1, "Reading back")
	return zeroSamples(ctx, t, seed, buffer)
}

// zeroSamples reads the places of a seed and holds them against zeros.
func zeroSamples(ctx context.Context, t Target, seed uint64, buffer []byte) error {
	zeros := make([]byte, sampleBytes)
	return eachSample(ctx, t, t.Size(), t.SectorSize(), seed, buffer, func(_ int, at int64, got []byte) error {
		if !bytes.Equal(got, zeros[:len(got)]) {
			return fmt.Errorf("old content is still readable at byte %d (seed %d)", at, seed)
		}
		return nil
	})
}
