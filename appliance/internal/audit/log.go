package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"slipway/fleet"
)

// ErrClosed is returned by Write after Close.
var ErrClosed = errors.New("audit: log is closed")

// OutcomeOK is the outcome of what was done. Every other outcome counts as a
// failure: it may be merged.
const OutcomeOK = "ok"

// Options of a log. The zero value of each field means its default.
type Options struct {
	FileBytes   int64            // size at which a file is closed; 4 MiB
	TotalBytes  int64            // size of all files together; 64 MiB
	MergeWindow time.Duration    // how long repeats of a failure are counted; 1 min
	Burst       int              // failures written one by one before the budget holds; 1000
	Refill      time.Duration    // one more failure each; 15 s
	SyncEvery   time.Duration    // longest time a failure stays unsynced; 1 s
	Now         func() time.Time // time.Now
	Logger      *slog.Logger     // slog.Default()

	open func(path string) (file, error)
}

func (o Options) withDefaults() Options {
	if o.FileBytes <= 0 {
		o.FileBytes = 4 << 20
	}
	if o.TotalBytes <= 0 {
		o.TotalBytes = 64 << 20
	}
	if o.MergeWindow <= 0 {
		o.MergeWindow = time.Minute
	}
	if o.Burst <= 0 {
		o.Burst = 1000
	}
	if o.Refill <= 0 {
		o.Refill = 15 * time.Second
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.open == nil {
		o.open = openDisk
	}
	return o
}

// Log is the audit log. It is safe for concurrent use. Close it.
type Log struct {
	o Options

	mu        sync.Mutex // guards everything below; held while writing, not while syncing
	journal   *journal
	merger    merger
	subs      map[chan fleet.AuditEntry]struct{}
	lost      int // entries that could not be written
	lostSince time.Time
	written   uint64 // counts appended entries, for syncing
	closed    bool

	syncMu sync.Mutex // held while syncing; taken before mu
	synced uint64

	base    int64        // number of the newest entry at Open
	durable atomic.Int64 // number up to which entries are on the disk
	wakers  map[chan struct{}]struct{}

	stop chan struct{}
	done chan struct{}
}

// Open opens or begins the log in dir, which is made when missing. A log written
// by a newer version is refused. TotalBytes must hold at least two files.
func Open(dir string, o Options) (*Log, error) {
	o = o.withDefaults()
	if o.TotalBytes < 2*o.FileBytes {
		return nil, fmt.Errorf("audit: a total of %d bytes is too small for files of %d bytes", o.TotalBytes, o.FileBytes)
	}
	j := &journal{dir: dir, fileBytes: o.FileBytes, totalBytes: o.TotalBytes, open: o.open}
	cut, err := j.load()
	if err != nil {
		return nil, err
	}
	l := &Log{
		o: o, journal: j,
		merger: merger{
			length:  o.MergeWindow,
			budget:  bucket{size: float64(o.Burst), refill: o.Refill},
			windows: map[mergeKey]*window{}, overflow: map[mergeKey]*window{},
		},
		subs: map[chan fleet.AuditEntry]struct{}{}, wakers: map[chan struct{}]struct{}{}, base: j.next - 1,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	// What a killed process wrote may still be in memory only.
	if err := j.f.Sync(); err != nil {
		j.f.Close()
		return nil, fmt.Errorf("audit: sync: %w", err)
	}
	l.durable.Store(l.base)
	if cut > 0 {
		l.note("audit.repaired", fmt.Sprintf("%d bytes of an unfinished entry at the end of the log were removed", cut))
	}
	go l.run()
	return l, nil
}

// Write records an entry; it fills in Format, Number, and Time when that is
// zero. With outcome "ok" the entry is on the disk when Write returns nil; a
// failure may have been merged with others instead (see the package comment).
// An error means that the entry is missing from the log, which has counted it;
// it wraps the cause, e.g. syscall.ENOSPC.
func (l *Log) Write(ctx context.Context, e fleet.AuditEntry) error {
	if err := ctx.Err(); err != nil {
		// What happened, happened: a caller that went away must not leave no trace.
		ctx = context.WithoutCancel(ctx)
	}
	e = clean(e)
	if e.Time.IsZero() {
		e.Time = l.o.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	at, err := l.put(e)
	if err != nil {
		l.o.Logger.ErrorContext(ctx, "audit entry could not be written", "action", e.Action, "error", err)
		return err
	}
	if e.Outcome != OutcomeOK {
		return nil
	}
	return l.sync(at)
}

// put writes or merges the entry and returns the count to sync up to.
func (l *Log) put(e fleet.AuditEntry) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrClosed
	}
	if e.Outcome != OutcomeOK && !l.merger.offer(e) {
		return l.written, nil
	}
	return l.written, l.append(e)
}

// append writes one entry, rotating first when the file is full, and after
// telling how many were lost before. The caller holds mu.
func (l *Log) append(e fleet.AuditEntry) error {
	err := l.makeRoom()
	if err == nil {
		err = l.tellLost()
	}
	if err == nil {
		err = l.appendRaw(e)
	}
	if err != nil {
		if l.lost == 0 {
			l.lostSince = l.o.Now()
		}
		l.lost++
	}
	return err
}

func (l *Log) appendRaw(e fleet.AuditEntry) error {
	e, err := l.journal.append(e)
	if err != nil {
		return err
	}
	l.written++
	l.publish(e)
	return nil
}

// makeRoom rotates a full file and keeps the total below its cap.
func (l *Log) makeRoom() error {
	if !l.journal.full() {
		return nil
	}
	if err := l.journal.rotate(); err != nil {
		return err
	}
	gone, err := l.journal.shrink()
	if err != nil {
		l.o.Logger.Error("audit log could not be kept below its size", "error", err)
	}
	for _, s := range gone {
		reason := fmt.Sprintf("the log reached its size limit: entries %d to %d were removed", s.first, s.last)
		if err := l.appendRaw(l.ownEntry("audit.dropped", OutcomeOK, segmentName(s.seq), reason)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) tellLost() error {
	if l.lost == 0 {
		return nil
	}
	e := l.ownEntry("audit.lost", "error", "", fmt.Sprintf("%d entries could not be written, e.g. because the disk was full", l.lost))
	e.First = l.lostSince.UTC().Truncate(time.Millisecond)
	if l.lost > 1 {
		e.Count = l.lost
	}
	if err := l.appendRaw(e); err != nil {
		return err
	}
	l.lost = 0
	return nil
}

func (l *Log) ownEntry(action, outcome, object, reason string) fleet.AuditEntry {
	return fleet.AuditEntry{
		Time: l.o.Now().UTC().Truncate(time.Millisecond), Actor: "appliance",
		Action: action, Object: object, Outcome: outcome, Reason: reason,
	}
}

// note writes an entry of the log about itself.
func (l *Log) note(action, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.append(l.ownEntry(action, OutcomeOK, "", reason)); err != nil {
		l.o.Logger.Error("audit entry could not be written", "action", action, "error", err)
	}
}
