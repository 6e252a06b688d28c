package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"slipway/fleet"
)

// errEnough ends a walk through the log without being an error.
var errEnough = errors.New("enough")

// maxLine bounds a line of the log, in bytes; the longest entry is far below it.
const maxLine = 64 << 10

// position is a place in the log, between two entries.
type position struct {
	after  int64 // number of the entry before it
	seq    int   // file in which offset counts; 0: not looked up yet
	offset int64
}

// segments are the files of the log, oldest first, with the number of the newest
// entry in them.
func (l *Log) segments() ([]segment, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(slices.Clone(l.journal.closed), l.journal.current), l.journal.next - 1
}

// forward calls visit for every entry behind the position with a number up to
// upTo, oldest first, and moves the position along, until visit returns an error;
// errEnough is then none. Files that go meanwhile are passed over. One line is in
// memory at a time.
func (l *Log) forward(p *position, upTo int64, visit func(fleet.AuditEntry) error) error {
	segments, _ := l.segments()
	for _, s := range segments {
		if s.first == 0 || s.last <= p.after || s.seq < p.seq {
			continue
		}
		if s.seq != p.seq {
			p.seq, p.offset = s.seq, 0
		}
		err := l.readForward(p, s, upTo, visit)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // dropped meanwhile
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// readForward reads one file from the position on.
func (l *Log) readForward(p *position, s segment, upTo int64, visit func(fleet.AuditEntry) error) error {
	f, err := os.Open(l.journal.path(s.seq))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(io.NewSectionReader(f, p.offset, s.size-p.offset), maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("audit: read %s: %w", segmentName(s.seq), err)
		}
		e, ok := parse(line)
		if ok && e.Number > upTo {
			return errEnough
		}
		p.offset += int64(len(line))
		if !ok || e.Number <= p.after {
			continue
		}
		p.after = e.Number
		if err := visit(e); err != nil {
			return err
		}
	}
}

// Reader follows the log. It returns only what is on the disk for good: no entry
// that it returned is ever replaced by another of the same number. It is not safe
// for concurrent use.
type Reader struct {
	l *Log
	p position
}

// ReadAfter returns a reader that begins behind the entry with that number; 0
// begins at the oldest entry there is.
func (l *Log) ReadAfter(number int64) *Reader { return &Reader{l: l, p: position{after: number}} }

// Next returns up to n entries that follow, oldest first, and none when there are
// no more for now; [Log.Notify] tells when to ask again. A number that is not the
// one behind the last means that the log dropped what was between them.
func (r *Reader) Next(n int) (out []fleet.AuditEntry, err error) {
	err = r.l.forward(&r.p, r.l.durable.Load(), func(e fleet.AuditEntry) error {
		out = append(out, e)
		if len(out) == n {
			return errEnough
		}
		return nil
	})
	return out, err
}

// Last is the number of the newest entry that is on the disk for good.
func (l *Log) Last() int64 { return l.durable.Load() }

// Notify signals when entries have become readable, until ctx ends or the log
// closes; then the channel is closed. Signals that nobody takes become one.
func (l *Log) Notify(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(ch)
		return ch
	}
	l.wakers[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, live := l.wakers[ch]; live {
			delete(l.wakers, ch)
			close(ch)
		}
	})
	return ch
}

// wake tells those who wait that more is on the disk.
func (l *Log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.wakers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
