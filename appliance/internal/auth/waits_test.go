package auth

import (
	"context"
	"fmt"
	"testing"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

func (b *bench) flush(t *testing.T) int {
	t.Helper()
	rows, err := b.flushWaits(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (b *bench) waits(t *testing.T) map[string]fleet.Wait {
	t.Helper()
	out := map[string]fleet.Wait{}
	err := b.state.View(func(tx *state.Tx) error {
		for w := range tx.Waits().All() {
			out[w.Key] = w
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWaitsSurviveARestart(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	fillSegment(t, b, "198.51.100")
	for range 5 {
		_, _, err := b.SignIn(t.Context(), "nobody", "x", from("203.0.113.1"))
		wants(t, err, ErrWrong)
	}
	before := throttled(t, b.try("x", "192.0.2.7", "a"))
	b.flush(t)
	b.restart(t)
	if after := throttled(t, b.try("x", "192.0.2.7", "a")); after.RetryAfter != before.RetryAfter {
		t.Errorf("wait %v before, %v after the restart", before.RetryAfter, after.RetryAfter)
	}
	if e := throttled(t, b.try("x", "198.51.100.254", "z")); e.Scope != "segment" {
		t.Errorf("%+v", e)
	}
	_, _, err := b.SignIn(t.Context(), "nobody", "x", from("203.0.113.1"))
	throttled(t, err)
	wants(t, b.try(weakPasscode, "192.0.2.8", "b"), nil)
}

func TestWaitsLeaveTheStateWhenOver(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range 3 {
		for range 5 {
			wants(t, b.try("wrong", fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprint(i)), ErrWrong)
		}
	}
	b.flush(t)
	if w := b.waits(t); len(w) != 7 { // three addresses, three devices, one segment
		t.Fatalf("rows %v", w)
	}
	if b.flush(t) != 0 {
		t.Error("unchanged counters were written again")
	}
	b.clock.add(5 * time.Second)
	wants(t, b.try(rightPasscode, "192.0.2.1", "0"), nil)
	b.clock.add(24 * time.Hour)
	if err := b.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.flush(t)
	if w := b.waits(t); len(w) != 0 {
		t.Errorf("rows remain: %v", w)
	}
}

func TestFreeFailuresAreNotWritten(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range 4 {
		wants(t, b.try("wrong", fmt.Sprintf("192.0.%d.1", i), fmt.Sprint(i)), ErrWrong)
	}
	if n := b.flush(t); n != 0 {
		t.Errorf("%d rows for counters that hold nobody back", n)
	}
}

func TestRowsAreWrittenAgainAfterAFailure(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.1", "a"), ErrWrong)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.flushWaits(ctx, true); err == nil {
		t.Fatal("written with a cancelled context")
	}
	b.flush(t)
	if w := b.waits(t)["addr:192.0.2.1"]; w.Failures != 5 {
		t.Errorf("row %+v", w)
	}
}

// Run writes a new wait by itself, soon, and the rest when it ends.
func TestRunKeepsWaits(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.1", "a"), ErrWrong)
	}
	deadline := time.Now().Add(60 * time.Second)
	for b.waits(t)["addr:192.0.2.1"].Failures != 5 {
		if time.Now().After(deadline) {
			t.Fatal("the wait was never written")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.2", "b"), ErrWrong)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if b.waits(t)["addr:192.0.2.2"].Failures != 5 {
		t.Error("not written at the end")
	}
}

func TestCountersAreBounded(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	l := limitsFor(StrongPasscodeBits)
	for i := range 30000 {
		s := newSubject(from(fmt.Sprintf("2001:%x:%x:%x::1", i%256, i/256, i%251)), machine(fmt.Sprint(i)))
		a, held := th.begin(s, l)
		if held == nil {
			a.fail()
		}
		c.add(time.Millisecond)
	}
	if len(th.stairs) > maxStairs || len(th.drums) > maxDrums {
		t.Errorf("%d and %d counters", len(th.stairs), len(th.drums))
	}
	if n := len(th.book.dirty); n > maxStairs+maxDrums+maxWaitRows {
		t.Errorf("%d keys to write", n)
	}
}

func TestWaitingListIsBounded(t *testing.T) {
	c := newClock()
	hs := newHolds()
	technician := newSubject(from("2001:db8:0:1:ffff::1"), machine("technician"))
	h, _ := hs.enter(technician, "segment", c.now())
	code := h.code
	for i := range 15000 {
		addr := fmt.Sprintf("2001:db8:0:1::%x", i) // a new one each time, in the same link
		switch i % 8 {
		case 0:
			addr = fmt.Sprintf("10.%d.%d.1", i%200, i/200)
		case 1:
			addr = fmt.Sprintf("192.0.2.%d", i%249)
		}
		hs.enter(newSubject(from(addr), machine(fmt.Sprint(i))), "segment", c.now())
		c.add(5 * time.Millisecond) // 200 a second
		if i%2000 == 0 {            // the technician tries again every ten seconds
			hs.enter(technician, "segment", c.now())
		}
	}
	if n := len(hs.byKey); n > maxHolds || len(hs.byCode) != n {
		t.Errorf("%d holds, %d codes", n, len(hs.byCode))
	}
	if n := hs.perSegment[technician.segKey]; n != maxHoldsPerSegment {
		t.Errorf("%d holds of one segment", n)
	}
	if n := len(hs.perAddress[from("192.0.2.1").Addr]); n > maxHoldsPerAddress {
		t.Errorf("%d holds of one address", n)
	}
	if again, _ := hs.enter(technician, "segment", c.now()); again.code != code {
		t.Error("the flood pushed the technician out of the list")
	}
	c.add(time.Hour)
	hs.prune(c.now())
	if len(hs.byKey)+len(hs.byCode)+len(hs.perAddress)+len(hs.perSegment) != 0 {
		t.Errorf("something remains: %d %d %d %d", len(hs.byKey), len(hs.byCode), len(hs.perAddress), len(hs.perSegment))
	}
}

// TestAClockThatWasSetBackHoldsNobodyForLong: neither in the process that saw it nor in
// the next one does an address wait longer than the longest wait.
func TestAClockThatWasSetBackHoldsNobodyForLong(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := newBench(t)
		b.setPasscode(t, rightPasscode)
		for range 7 {
			_ = b.try("wrong one", "192.0.2.9", "s1")
			b.clock.add(longestWait + time.Second)
		}
		_ = b.try("wrong one", "192.0.2.9", "s1")
		if _, err := b.flushWaits(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		b.clock.add(-24 * time.Hour)
		if restart {
			b.restart(t)
		}
		e := throttled(t, b.try(rightPasscode, "192.0.2.9", "s1"))
		if e.RetryAfter > longestWait {
			t.Errorf("told to wait %v", e.RetryAfter)
		}
		b.clock.add(e.RetryAfter)
		if err := b.try(rightPasscode, "192.0.2.9", "s1"); err != nil {
			t.Errorf("restart %v: after the wait that was named: %v", restart, err)
		}
	}
}
