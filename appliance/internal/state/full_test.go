package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/fleet"
)

// fullDisk is the size of the small disk.
const fullDisk = 12 << 20

func fullOptions(dir string) Options {
	o := Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), SegmentSize: 256 << 10, SnapshotEvery: 150}
	if os.Getenv("SLIPWAY_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return o
}

// TestAFullDisk runs helperFull in mount namespaces of its own, with a small disk
// that goes with the process.
func TestAFullDisk(t *testing.T) {
	for _, scenario := range []string{"others", "rotation", "start", "removals", "reserve", "churn"} {
		t.Run(scenario, func(t *testing.T) {
			cmd := helper(t, "full", t.TempDir(), "SLIPWAY_STATE_SCENARIO="+scenario, "SLIPWAY_STATE_SEED="+fmt.Sprint(random(t).Uint64()))
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			if os.Getuid() != 0 {
				cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
			}
			if out, err := cmd.Output(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// helperFull mounts the small disk and runs a scenario on it.
func helperFull() {
	dir := os.Getenv("SLIPWAY_STATE_DIR")
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""),
		unix.Mount("slipway-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", fullDisk)))
	if err == nil {
		d := &disk{dir: dir, opts: fullOptions(filepath.Join(dir, "state"))}
		scenarios := map[string]func() error{"others": d.others, "rotation": d.rotation, "start": d.start,
			"removals": d.removals, "reserve": d.reserve, "churn": d.churn}
		err = scenarios[os.Getenv("SLIPWAY_STATE_SCENARIO")]()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// disk is a small disk with a state on it.
type disk struct {
	dir  string
	opts Options
	s    *Store
	next int // number of acknowledged devices, n0 to n<next-1>
}

func (d *disk) open() (err error) {
	d.s, err = Open(context.Background(), d.opts)
	return err
}

// write writes the next device, of about 2 KiB.
func (d *disk) write() error {
	err := d.s.Update(context.Background(), func(tx *Tx) error {
		return tx.Devices().Put(fleet.Device{ID: fmt.Sprint("n", d.next), Name: strings.Repeat("x", 2000)})
	})
	if err == nil {
		d.next++
	}
	return err
}

// writeUnchecked is write without the look at the space that is left.
func (d *disk) writeUnchecked() error {
	tx := newTx(d.s.machine, true)
	defer tx.end()
	key := fmt.Sprint("unchecked-", d.next)
	if err := tx.Devices().Put(fleet.Device{ID: fmt.Sprint("n", d.next), Name: strings.Repeat("x", 2000)}); err != nil {
		return err
	}
	out, err := d.s.propose(context.Background(), key, tx.entry(key, false).encode())
	if err == nil && out != outcomeConflict {
		d.next++
	}
	return err
}

func (d *disk) writeMany(n int) error {
	for range n {
		if err := d.write(); err != nil {
			return err
		}
	}
	return nil
}

// fill takes all space but left bytes, as another program would.
func (d *disk) fill(left int64) error {
	f, err := os.OpenFile(filepath.Join(d.dir, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := 64 << 10; chunk >= 4096; chunk /= 2 {
		for {
			free, err := newSpace(d.dir, 0).free()
			if err != nil {
				return err
			}
			if free-int64(chunk) < left {
				break
			}
			if _, err := f.Write(make([]byte, chunk)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *disk) empty() error { return os.Remove(filepath.Join(d.dir, "filler")) }

// holds finds every acknowledged device.
func (d *disk) holds() error {
	return d.s.View(func(tx *Tx) error {
		for i := range d.next {
			if _, err := tx.Devices().Get(fmt.Sprint("n", i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// want is err when it is not the error expected.
func want(what string, err, expected error) error {
	if !errors.Is(err, expected) || (expected == nil && err != nil) {
		return fmt.Errorf("%s: %v, want %v", what, err, expected)
	}
	return nil
}

// until retries fn until it succeeds or a deadline.
func until(fn func() error) (err error) {
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = fn(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("not within the deadline: %w", err)
}

// reopen closes, opens, and finds everything.
func (d *disk) reopen() error {
	if err := d.s.Close(); err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	return d.holds()
}

// others: somebody else fills the disk, and frees it again.
func (d *disk) others() error {
	if err := errors.Join(d.open(), d.writeMany(100), d.fill(0)); err != nil {
		return err
	}
	for range 50 {
		if err := want("writing on a full disk", d.write(), ErrFull); err != nil {
			return err
		}
	}
	if err := errors.Join(want("Ready", d.s.Ready(), ErrFull), want("reading", d.holds(), nil)); err != nil {
		return err
	}
	if err := d.empty(); err != nil {
		return err
	}
	return errors.Join(want("Ready afterwards", d.s.Ready(), nil), want("writing afterwards", d.writeMany(400), nil), d.reopen())
}

// rotation: the space vanishes between the check and the writing, so that the log
// itself meets the full disk, again and again, in the middle of making segments.
func (d *disk) rotation() error {
	if err := errors.Join(d.open(), d.writeMany(10)); err != nil {
		return err
	}
	if err := d.fill(0); err != nil {
		return err
	}
	failed := 0
	for range 2000 {
		switch err := d.writeUnchecked(); {
		case errors.Is(err, ErrFull):
			failed++
		case err != nil:
			return fmt.Errorf("writing: %w", err)
		}
		if failed == 3 {
			break
		}
	}
	if failed == 0 {
		return errors.New("the log never met the full disk")
	}
	if err := errors.Join(want("reading", d.holds(), nil), d.empty()); err != nil {
		return err
	}
	return errors.Join(until(d.write), d.writeMany(300), d.reopen())
}

// start: the appliance starts on a full disk, reads, and resumes.
func (d *disk) start() error {
	if err := errors.Join(d.open(), d.writeMany(130), d.s.Close(), d.fill(0)); err != nil {
		return err
	}
	for range 3 {
		if err := d.open(); err != nil {
			return fmt.Errorf("starting on a full disk: %w", err)
		}
		if err := errors.Join(d.holds(), want("writing", d.write(), ErrFull), d.s.Close()); err != nil {
			return err
		}
	}
	if err := errors.Join(d.open(), d.empty(), until(d.write), d.holds()); err != nil {
		return err
	}
	return until(func() error { _, err := os.Stat(filepath.Join(d.opts.Dir, reserveName)); return err })
}

// removals: what makes room is possible on a full disk, even when the log needs a
// new segment for it.
func (d *disk) removals() error {
	const n = 3000
	err := errors.Join(d.open(), d.s.Update(context.Background(), func(tx *Tx) error {
		for i := range n {
			if err := tx.Waits().Put(fleet.Wait{Key: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	}), d.fill(0))
	if err != nil {
		return err
	}
	for i := range n {
		err := d.s.Update(context.Background(), func(tx *Tx) error { return tx.Waits().Delete(fmt.Sprint(i)) })
		if err != nil {
			return fmt.Errorf("removing %d on a full disk: %w", i, err)
		}
	}
	if d.s.space.held {
		return errors.New("the log never needed the reserve: the test shows nothing")
	}
	if err := want("writing", d.write(), ErrFull); err != nil {
		return err
	}
	return d.s.View(func(tx *Tx) error {
		if n := tx.Waits().Len(); n != 0 {
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
}

// reserve: it is there from the start, and taken back after it was needed.
func (d *disk) reserve() error {
	path := filepath.Join(d.opts.Dir, reserveName)
	there := func() error {
		info, err := os.Stat(path)
		if err == nil && info.Size() != 2*int64(d.opts.SegmentSize+segmentSlack) {
			err = fmt.Errorf("reserve of %d bytes", info.Size())
		}
		return err
	}
	if err := errors.Join(d.open(), until(there)); err != nil {
		return err
	}
	if !d.s.space.release() {
		return errors.New("there was no reserve to release")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the reserve is still there: %v", err)
	}
	return until(there)
}

// churn: writers go on while the disk fills and empties, over many segments and
// snapshots; everything acknowledged is there in the end.
func (d *disk) churn() error {
	if err := d.open(); err != nil {
		return err
	}
	full := 0
	for round := range 12 {
		if err := d.fill(int64(round%4) * 100 << 10); err != nil {
			return err
		}
		for range 120 {
			switch err := d.write(); {
			case errors.Is(err, ErrFull):
				full++
			case err != nil:
				return err
			}
		}
		if err := errors.Join(d.empty(), d.writeMany(20)); err != nil {
			return err
		}
		if round%3 == 2 {
			if err := d.reopen(); err != nil {
				return err
			}
		}
	}
	if full == 0 {
		return errors.New("the disk was never full")
	}
	return d.holds()
}
