package syslog

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"slipway/appliance/internal/audit"
)

// batch is how many entries are in memory at once.
const batch = 100

// datagramPause is how long to wait between two batches of datagrams, so that a
// backlog does not run over the collector's buffers.
const datagramPause = 50 * time.Millisecond

// Options of a forwarder. Log, Transport, Address and CursorFile must be set; the
// zero value of the times means their default.
type Options struct {
	Log          *audit.Log
	Transport    string // udp, tcp, tls
	Address      string // host:port
	CAFile       string // PEM; empty: the system's authorities
	CursorFile   string
	Host         string // HOSTNAME of the messages; default: this machine's name
	Installation string
	Logger       *slog.Logger

	MinWait time.Duration // after the first failure; 1 s
	MaxWait time.Duration // between attempts; 1 min
	Settle  time.Duration // how long a connection outlives what it carried, for that to count; 2 s
}

func (o Options) withDefaults() Options {
	if o.Host == "" {
		o.Host, _ = os.Hostname() // "-" in the messages when it is not known
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MinWait <= 0 {
		o.MinWait = time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = time.Minute
	}
	if o.Settle <= 0 {
		o.Settle = 2 * time.Second
	}
	return o
}

// Forwarder sends the audit log to a collector. It is safe for concurrent use.
type Forwarder struct {
	o     Options
	roots *x509.CertPool
	limit int           // bytes of a message
	pause time.Duration // between two full batches

	mu     sync.Mutex
	cursor cursor // the last entry that counts as forwarded
	status Status
	told   int64 // number up to which dropped entries are counted
}

// New reads the cursor and the collector's authorities. It connects to nothing;
// Run does.
func New(o Options) (*Forwarder, error) {
	o = o.withDefaults()
	f := &Forwarder{o: o, limit: maxStream, status: Status{Collector: o.Transport + "://" + o.Address}}
	if o.Transport == "udp" {
		f.limit, f.pause = maxDatagram, datagramPause
	}
	var err error
	if f.roots, err = readRoots(o.CAFile); err != nil {
		return nil, err
	}
	f.cursor, err = readCursor(o.CursorFile)
	if errors.Is(err, errCursor) {
		o.Logger.Warn("the audit log is forwarded from its beginning", "error", err)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return f, f.place()
}

// place puts a cursor that fits no entry of the log before its beginning: the log
// is another one, e.g. restored.
func (f *Forwarder) place() error {
	if f.cursor.Number == 0 {
		return nil
	}
	found, err := f.o.Log.ReadAfter(f.cursor.Number - 1).Next(1)
	if err != nil {
		return fmt.Errorf("audit.syslog: %w", err)
	}
	dropped := len(found) == 1 && found[0].Number > f.cursor.Number
	same := len(found) == 1 && found[0].Number == f.cursor.Number && sum(found[0]) == f.cursor.Sum
	if !dropped && !same {
		f.o.Logger.Warn("the audit log is not the one that was forwarded last; it is forwarded from its beginning", "entry", f.cursor.Number)
		f.cursor = cursor{Format: cursorFormat}
	}
	return nil
}

// Run forwards until ctx ends. A collector that cannot be reached is tried again
// after growing waits.
func (f *Forwarder) Run(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		err := f.connection(ctx)
		if ctx.Err() != nil {
			break
		}
		if failures++; time.Since(began) > f.o.MaxWait {
			failures = 1
		}
		f.failed(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(f.wait(failures)):
		}
	}
	f.mu.Lock()
	f.status.Connected = false
	f.mu.Unlock()
	return nil
}

// wait is how long to wait after that many failures in a row: twice as long each
// time, and by chance up to half of that less, so that many senders do not come at
// once.
func (f *Forwarder) wait(failures int) time.Duration {
	d := f.o.MaxWait
	if shift := failures - 1; shift < 20 {
		d = min(d, f.o.MinWait<<shift)
	}
	return d - rand.N(d/2+1)
}

// flight is what was sent over a connection and does not count as forwarded yet.
// Its size is fixed, whatever was sent: two marks.
type flight struct {
	sent    mark // the newest entry that was sent
	waiting mark // an older one, which counts next; number 0: none
}

// mark is an entry with the count of bytes after it, and when that stood.
type mark struct {
	cursor
	bytes   int64
	entries int64 // that count as forwarded with it
	at      time.Time
}

// connection forwards over one connection until it breaks or ctx ends.
func (f *Forwarder) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := dial(ctx, f.o.Transport, f.o.Address, f.roots)
	if err != nil {
		return err
	}
	defer l.close()
	// A collector that does not read must not hold up the end of the appliance.
	defer context.AfterFunc(ctx, l.close)()
	more := f.o.Log.Notify(ctx)
	reader := f.o.Log.ReadAfter(f.position())
	var air flight
	tick := time.NewTicker(f.o.Settle / 4)
	defer tick.Stop()
	for {
		n, err := f.sendBatch(l, reader, &air)
		if err == nil {
			err = f.settle(ctx, l, &air)
		}
		if err != nil {
			return err
		}
		var pause <-chan time.Time
		if n == batch { // there may be more at once
			pause = time.After(f.pause)
		}
		select {
		case <-pause:
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.broken:
			return fmt.Errorf("the collector ended the connection: %w", err)
		case _, open := <-more:
			if !open {
				more = nil // the log is closed, and ctx ends soon
			}
		case <-tick.C:
		}
	}
}

// sendBatch sends what the log has behind the reader, at most batch entries.
func (f *Forwarder) sendBatch(l *link, reader *audit.Reader, air *flight) (int, error) {
	entries, err := reader.Next(batch)
	if err != nil {
		return 0, err
	}
	last := air.sent.Number
	if last == 0 {
		last = f.position()
	}
	for _, e := range entries {
		if err := l.send(format(e, Origin{Host: f.o.Host, Installation: f.o.Installation}, f.limit)); err != nil {
			return 0, err
		}
		if last > 0 && e.Number > last+1 {
			f.missed(last+1, e.Number-1)
		}
		last = e.Number
	}
	if len(entries) > 0 {
		newest := entries[len(entries)-1]
		air.sent = mark{cursor: at(newest), bytes: l.sent(), entries: air.sent.entries + int64(len(entries)), at: time.Now()}
	}
	return len(entries), nil
}

// settle counts as forwarded what has arrived for certain.
func (f *Forwarder) settle(ctx context.Context, l *link, air *flight) error {
	if air.waiting.Number == 0 {
		if air.sent.Number == 0 || air.sent.Number == f.position() {
			f.connected(ctx)
			return nil
		}
		air.waiting = air.sent
		air.sent.entries = 0
	}
	if time.Since(air.waiting.at) < f.o.Settle {
		return nil
	}
	acknowledged, err := l.acknowledged()
	if err != nil || acknowledged < air.waiting.bytes {
		return err
	}
	select {
	case err := <-l.broken: // noticed before it counts
		return fmt.Errorf("the collector ended the connection: %w", err)
	default:
	}
	f.forwarded(ctx, air.waiting)
	air.waiting = mark{}
	return nil
}

// position is the number of the last entry that counts as forwarded.
func (f *Forwarder) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor.Number
}
