package state

import (
	"fmt"
	"log/slog"
	"time"
)

// Options say where and how a store is opened.
type Options struct {
	// Dir is the folder of the state; it is made when missing. Nothing else may use it.
	Dir string
	// Logger gets the store's own messages; default slog.Default().
	Logger *slog.Logger
	// Now is the clock; default time.Now. No stored byte depends on it.
	Now func() time.Time
	// Stream connects members over a network. nil: a single member in its own process.
	Stream Stream
	// SegmentSize is the size in bytes of one log file; default 16 MiB.
	SegmentSize int
	// Reserve is the space in bytes kept for the log when everything else filled the
	// disk; default two log files.
	Reserve int64
	// SnapshotEvery is after how many log entries a snapshot is taken; default 4096.
	// SnapshotBytes does the same by the size of the entries; default 32 MiB.
	SnapshotEvery uint64
	SnapshotBytes int64
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = 16 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = 2 * int64(o.SegmentSize+segmentSlack)
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = 4096
	}
	if o.SnapshotBytes == 0 {
		o.SnapshotBytes = 32 << 20
	}
	return o
}

// Validate reports options that cannot work.
func (o Options) Validate() error {
	switch {
	case o.Dir == "":
		return fmt.Errorf("state: no folder given")
	case o.SegmentSize < 64<<10 || o.SegmentSize > 1<<30:
		return fmt.Errorf("state: segment size %d is not between 64 KiB and 1 GiB", o.SegmentSize)
	case o.Reserve < int64(o.SegmentSize):
		return fmt.Errorf("state: a reserve of %d bytes is smaller than a segment", o.Reserve)
	}
	return nil
}
