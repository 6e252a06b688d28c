package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// makeNTFS makes an NTFS by mkntfs (ntfs-3g). The partition's place and the geometry
// that all of today's BIOSes pretend go into its boot sector; the program cannot set
// the serial number.
func (m *Linux) makeNTFS(ctx context.Context, tool string, p Partition, path string) error {
	f, err := openDevice(path, os.O_RDWR|unix.O_EXCL)
	if err != nil {
		return err
	}
	sector, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	start := p.Start / int64(sector)
	if start > 1<<32-1 { // no BIOS starts from there
		start = 0
	}
	output, err := m.Run(ctx, tool, "--quick", "--quiet", "--force", "--label", p.Label, "--cluster-size", "4096", "--sector-size", strconv.Itoa(sector),
		"--partition-start", strconv.FormatInt(start, 10), "--heads", "255", "--sectors-per-track", "63", path)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(output))
	}
	f, err = openDevice(path, os.O_RDWR|unix.O_EXCL)
	if err != nil {
		return err
	}
	return errors.Join(setNTFSSerial(f, p.Size, sector, p.UUID), f.Sync(), f.Close())
}
