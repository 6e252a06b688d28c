package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// 200 wrong guesses a second from 250 addresses of one segment for a minute, in
// a minute of a clock that the test moves: what it costs, and whom it holds back.
func TestAttackFromOneSegment(t *testing.T) {
	for _, passcode := range []string{weakPasscode, rightPasscode} {
		b := newBench(t)
		b.setPasscode(t, passcode)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		looked, rows, runs := 0, 0, b.hasher.runs.Load()
		for i := range 60 * 200 {
			// Each guess claims to be another device.
			err := b.try("guess", fmt.Sprintf("192.0.2.%d", i%250+1), fmt.Sprint(i))
			if errors.Is(err, ErrWrong) {
				looked++
			} else {
				throttled(t, err)
			}
			b.clock.add(5 * time.Millisecond)
			if i%200 != 199 {
				continue
			}
			n, err := b.flushWaits(t.Context(), false) // as Run does every second
			if err != nil {
				t.Fatal(err)
			}
			rows += n
			if i%2000 == 1999 { // a technician elsewhere, every ten seconds
				wants(t, b.try(passcode, "198.51.100.9", "technician"), nil)
			}
		}
		if looked > 250 {
			t.Errorf("%d guesses were looked at", looked)
		}
		if n := b.hasher.runs.Load() - runs; n != int64(looked+6) {
			t.Errorf("%d argon2id runs for %d guesses and 6 sign-ins", n, looked)
		}
		if n := len(b.waits(t)); n > 700 || rows > 2000 {
			t.Errorf("%d rows in the state, %d written", n, rows)
		}
		b.trail.mu.Lock()
		b.trail.entries = nil
		b.trail.mu.Unlock()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		// In the segment itself: held with a code, and let in after one click.
		e := throttled(t, b.try(passcode, "192.0.2.254", "mine"))
		if e.Scope != "segment" || e.HoldCode == "" {
			t.Fatalf("%+v", e)
		}
		if err := b.Release(t.Context(), Actor{Name: "anna"}, e.HoldCode); err != nil {
			t.Fatal(err)
		}
		wants(t, b.try(passcode, "192.0.2.254", "mine"), nil)
		_, _, err := b.SignIn(t.Context(), "nobody", "x", from("192.0.2.254"))
		wants(t, err, ErrWrong) // not throttled: the console has its own counters
	}
}

// The same in real time with real hashing: two seconds, or a whole minute and the
// real costs with SLIPWAY_SOAK set.
func TestAttackInRealTime(t *testing.T) {
	// Beside other tests a machine may stand still for seconds; the order in which the gate
	// lets them in is proved by its own tests.
	length, hash, limit := 2*time.Second, Params{MemoryKiB: 4 << 10, Passes: 1, Threads: 1}, 20*time.Second
	if os.Getenv("SLIPWAY_SOAK") != "" {
		length, hash, limit = time.Minute, DefaultParams(), 5*time.Second
	}
	b := newBench(t)
	b.throttle.now, b.Service.now = time.Now, time.Now
	b.hasher = newHasher(hash)
	b.setPasscode(t, rightPasscode)
	if err := b.AddAccount(t.Context(), Actor{}, "anna", goodPassword, "administrator"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	var guesses, looked atomic.Int64
	start := time.Now()
	crowd.Go(func() {
		for n := 0; ctx.Err() == nil; {
			for ; n < int(200*time.Since(start).Seconds()); n++ { // as many as are due by now
				address, serial := fmt.Sprintf("192.0.2.%d", n%250+1), fmt.Sprint(n)
				crowd.Go(func() {
					guesses.Add(1)
					if errors.Is(b.try("guess", address, serial), ErrWrong) {
						looked.Add(1)
					}
				})
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	quick := func(what string, do func() error) {
		t.Helper()
		began := time.Now()
		if err := do(); err != nil {
			t.Errorf("%s, %v after the start: %v", what, began.Sub(start).Round(time.Millisecond), err)
		}
		if took := time.Since(began); took > limit {
			t.Errorf("%s took %v", what, took)
		}
	}
	for n := 0; time.Since(start) < length; n++ {
		time.Sleep(length / 20) // the pace of the technicians
		quick("elsewhere", func() error { return b.try(rightPasscode, "198.51.100.9", "elsewhere") })
		quick("console", func() error {
			_, _, err := b.SignIn(ctx, "anna", goodPassword, from("192.0.2.254"))
			return err
		})
	}
	var held *ThrottledError
	for held == nil || held.HoldCode == "" { // until the segment is used up
		if err := b.try(rightPasscode, "192.0.2.253", "mine"); err != nil && !errors.As(err, &held) {
			t.Fatal(err)
		}
		if time.Since(start) > length+time.Minute {
			t.Fatal("the segment was never held back")
		}
		time.Sleep(5 * time.Millisecond)
	}
	quick("in the segment, after release", func() error {
		if err := b.Release(ctx, Actor{Name: "anna"}, held.HoldCode); err != nil {
			return err
		}
		return b.try(rightPasscode, "192.0.2.253", "mine")
	})
	want := int64(190 * length.Seconds())
	for guesses.Load() < want && time.Since(start) < length+2*time.Minute { // those that are due
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	crowd.Wait()
	t.Logf("%d guesses, %d looked at", guesses.Load(), looked.Load())
	if guesses.Load() < want {
		t.Errorf("%d guesses only, want %d: this proves little", guesses.Load(), want)
	}
}
