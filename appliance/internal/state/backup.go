package state

import (
	"context"
	"io"
)

// Backup writes all tables as they are at the moment of the call: the form of a
// snapshot, with its format number and checksum, that Restore reads. Writes go on
// meanwhile and are not in it. One record is in memory at a time. An error of w, or
// of ctx, ends it; what was written until then is of no use, and Restore says so.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	p, err := s.Freeze()
	if err != nil {
		return err
	}
	defer p.Release()
	return p.Write(ctx, w)
}

// Point is the tables at one moment. It is good for one goroutine. Holding it costs
// the memory of what is changed meanwhile, so it is released soon.
type Point struct{ tables *frozen }

// Freeze takes hold of the tables as they are now. Release the point.
func (s *Store) Freeze() (*Point, error) {
	select {
	case <-s.closing:
		return nil, ErrClosed
	default:
	}
	if err := s.machine.err(); err != nil {
		return nil, err
	}
	return &Point{&frozen{machine: s.machine, txn: s.machine.db.Load().Txn(false)}}, nil
}

// Write writes the tables; as often as it is called, the same bytes.
func (p *Point) Write(ctx context.Context, w io.Writer) error {
	return p.tables.write(contextWriter{ctx, w})
}

// View reads the tables of that moment.
func (p *Point) View(fn func(tx *Tx) error) error {
	tx := &Tx{base: p.tables.txn}
	defer tx.end()
	return fn(tx)
}

// Release lets the tables go.
func (p *Point) Release() { p.tables.Release() }

// contextWriter ends with its context.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
