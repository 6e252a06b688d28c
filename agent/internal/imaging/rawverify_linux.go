package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"slipway/agent/internal/disk"
)

type sum struct {
	at  int64
	n   int
	sum [sha256.Size]byte
}

// verify reads back what was written and what was erased.
func (w *rawWriter) verify(ctx context.Context, buffer []byte) error {
	done := int64(0)
	check := func(at int64, n int, right func([]byte) bool) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := w.target.ReadAt(buffer[:n], at); err != nil {
			return fmt.Errorf("read back at %s: %w", disk.Bytes(at), err)
		}
		if !right(buffer[:n]) {
			return fmt.Errorf("the disk does not hold what was written to it: it differs at %s (byte %d)", disk.Bytes(at), at)
		}
		if done += int64(n); w.o.Progress != nil {
			w.o.Progress(StageVerifying, min(done, w.done.Size), w.done.Size)
		}
		return nil
	}
	for _, s := range w.sums {
		err := check(s.at, s.n, func(p []byte) bool { h := sha256.Sum256(p); return bytes.Equal(h[:], s.sum[:]) })
		if err != nil {
			return err
		}
	}
	for _, z := range w.zeros {
		for at, end := z[0], z[0]+z[1]; at < end; at += BlockSize {
			if err := check(at, int(min(BlockSize, end-at)), zero); err != nil {
				return err
			}
		}
	}
	return nil
}
