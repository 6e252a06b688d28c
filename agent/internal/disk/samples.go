package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
)

const (
	sampleBytes  = 64 << 10
	wipeSamples  = 256
	proofSamples = wipeSamples + 2 // with both ends
)

// samplePlaces are both ends of a disk and places that follow from the seed.
func samplePlaces(size int64, sector int, seed uint64) (places []int64, length int64) {
	length = min(int64(sampleBytes), size)
	r := rand.New(rand.NewPCG(seed, 0))
	places = []int64{0, size - length}
	for range wipeSamples {
		places = append(places, down(r.Int64N(size-length+1), int64(sector)))
	}
	return places, length
}

// eachSample reads the places into buffer, one after the other.
func eachSample(ctx context.Context, t io.ReaderAt, size int64, sector int, seed uint64, buffer []byte, look func(i int, at int64, got []byte) error) error {
	places, length := samplePlaces(size, sector, seed)
	for i, at := range places {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := t.ReadAt(buffer[:length], at); err != nil {
			return fmt.Errorf("read at %d: %w", at, err)
		}
		if err := look(i, at, buffer[:length]); err != nil {
			return err
		}
	}
	return nil
}

// constant reports whether all bytes are the same.
func constant(p []byte) bool {
	return len(p) == 0 || bytes.Count(p, p[:1]) == len(p)
}

// evidence is what lay on a disk before it erased itself: without something that is
// gone afterwards, reading back would prove nothing.
type evidence struct {
	size   int64
	sector int
	seed   uint64
	before [][]byte
}

// gather reads the places, and writes random bytes to those where nothing lies that
// could be missed. buffer is sampleBytes of memory that direct reading takes.
func gather(ctx context.Context, t interface {
	io.ReaderAt
	io.WriterAt
}, size int64, sector int, seed uint64, buffer []byte) (evidence, error) {
	e := evidence{size: size, sector: sector, seed: seed}
	r := rand.New(rand.NewPCG(seed, 1))
	err := eachSample(ctx, t, size, sector, seed, buffer, func(_ int, at int64, got []byte) error {
		marked := false
		for sectors := got; len(sectors) > 0; sectors = sectors[sector:] {
			if one := sectors[:sector]; constant(one) {
				marked = true
				for i := range one {
					one[i] = byte(r.Uint32())
				}
			}
		}
		if marked {
			if _, err := t.WriteAt(got, at); err != nil {
				return fmt.Errorf("write what has to be gone afterwards, at %d: %w", at, err)
			}
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	// Places may overlap: what counts is what lies there in the end.
	err = eachSample(ctx, t, size, sector, seed, buffer, func(_ int, at int64, got []byte) error {
		e.before = append(e.before, bytes.Clone(got))
		return nil
	})
	return e, err
}

// gone reads the places again and holds each sector against what lay there. It tells
// what the disk reads as.
func (e evidence) gone(ctx context.Context, t io.ReaderAt, buffer []byte) (reads string, err error) {
	zeros, ones, other := 0, 0, 0
	err = eachSample(ctx, t, e.size, e.sector, e.seed, buffer, func(i int, at int64, got []byte) error {
		for n := 0; n < len(got); n += e.sector {
			now, had := got[n:n+e.sector], e.before[i][n:n+e.sector]
			switch {
			case bytes.Equal(now, had):
				return fmt.Errorf("old content is still readable at byte %d (seed %d)", at+int64(n), e.seed)
			case constant(now) && now[0] == 0:
				zeros++
			case constant(now) && now[0] == 0xff:
				ones++
			default:
				other++
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case other > 0:
		return "other data", nil
	case ones == 0:
		return "zeros", nil
	case zeros == 0:
		return "ones", nil
	}
	return "zeros and ones", nil
}
