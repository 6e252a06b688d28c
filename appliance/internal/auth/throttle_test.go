package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFirstFiveAreFreeThenWaitsGrow(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	for _, want := range []time.Duration{5, 10, 20, 40, 60, 60, 60} {
		e := throttled(t, b.try("wrong", "192.0.2.7", "a"))
		if e.RetryAfter != want*time.Second || e.Scope != "address" || e.HoldCode != "" {
			t.Fatalf("%+v, want %d s for the address without a code", e, want)
		}
		throttled(t, b.try(rightPasscode, "192.0.2.7", "a")) // the right one waits, too
		b.clock.add(want*time.Second - time.Millisecond)
		throttled(t, b.try("wrong", "192.0.2.7", "a"))
		b.clock.add(time.Millisecond)
		wants(t, b.try("wrong", "192.0.2.7", "b"), ErrWrong)
	}
	// The neighbour is free, whatever happened here.
	wants(t, b.try(rightPasscode, "192.0.2.8", "c"), nil)
}

func TestThrottledAttemptsDoNotCount(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	for range 1000 {
		throttled(t, b.try("wrong", "192.0.2.7", "a"))
	}
	b.clock.add(5 * time.Second)
	wants(t, b.try(rightPasscode, "192.0.2.7", "a"), nil)
}

func TestSuccessForgetsFailures(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 10 {
		for range 4 {
			wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
		}
		wants(t, b.try(rightPasscode, "192.0.2.7", "a"), nil)
	}
	if n := len(b.throttle.stairs); n != 0 {
		t.Errorf("%d counters remain", n)
	}
}

func TestFailuresAreForgottenAfterAWhile(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	b.clock.add(forgetAfter + time.Second)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	throttled(t, b.try("wrong", "192.0.2.7", "a"))
}

// A hundred guesses at once must not slip through while none has failed yet.
func TestManyAtOnceFromOneAddress(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	var wg sync.WaitGroup
	var looked atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			if errors.Is(b.try("wrong", "192.0.2.7", fmt.Sprint(i)), ErrWrong) {
				looked.Add(1)
			}
		})
	}
	wg.Wait()
	if looked.Load() != 5 {
		t.Errorf("%d guesses were looked at, want 5", looked.Load())
	}
}

func TestIPv6CountsBy64(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range 5 {
		wants(t, b.try("wrong", fmt.Sprintf("2001:db8:0:1::%x", i+1), fmt.Sprint(i)), ErrWrong)
	}
	e := throttled(t, b.try(rightPasscode, "2001:db8:0:1:ffff::1", "me"))
	if e.HoldCode == "" {
		t.Error("a /64 is a whole link: whoever shares it must get a code")
	}
	wants(t, b.try(rightPasscode, "2001:db8:0:2::1", "other"), nil)
	if err := b.Release(t.Context(), Actor{Name: "anna"}, e.HoldCode); err != nil {
		t.Fatal(err)
	}
	wants(t, b.try(rightPasscode, "2001:db8:0:1:ffff::1", "me"), nil)
	throttled(t, b.try("wrong", "2001:db8:0:1::1", "0"))
}

func TestMappedAddressIsTheSame(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "::ffff:192.0.2.7", "a"), ErrWrong)
	}
	throttled(t, b.try("wrong", "192.0.2.7", "b"))
}

// A device is held back whichever address of its segment is used, and can be
// released; nobody elsewhere can hold it back by speaking in its name.
func TestClaimedDevice(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range 5 {
		wants(t, b.try("wrong", fmt.Sprintf("192.0.2.%d", i+1), "victim"), ErrWrong)
	}
	e := throttled(t, b.try(rightPasscode, "192.0.2.99", "victim"))
	if e.Scope != "device" || e.HoldCode == "" {
		t.Errorf("%+v", e)
	}
	wants(t, b.try(rightPasscode, "192.0.2.98", "another"), nil)
	wants(t, b.try(rightPasscode, "198.51.100.1", "victim"), nil)
	if err := b.Release(t.Context(), Actor{Name: "anna"}, e.HoldCode); err != nil {
		t.Fatal(err)
	}
	wants(t, b.try(rightPasscode, "192.0.2.99", "victim"), nil)
}

func TestUnusableClaimsShareNothing(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for i := range 20 {
		wants(t, b.try("wrong", fmt.Sprintf("192.0.2.%d", i+1), ""), ErrWrong)
	}
}

// fillSegment uses up what a segment may fail.
func fillSegment(t *testing.T, b *bench, prefix string) (tried int) {
	t.Helper()
	for i := range 250 {
		for range 5 {
			err := b.try("wrong", fmt.Sprintf("%s.%d", prefix, i+1), fmt.Sprint(prefix, i))
			if !errors.Is(err, ErrWrong) {
				if e := throttled(t, err); e.Scope != "segment" {
					t.Fatalf("%+v", e)
				}
				return tried
			}
			tried++
		}
	}
	t.Fatal("the segment was never held back")
	return 0
}

func TestSegmentIsHeldAndReleased(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	if n := fillSegment(t, b, "192.0.2"); n != 100 {
		t.Errorf("%d guesses at once, want 100", n)
	}
	wants(t, b.try(weakPasscode, "198.51.100.1", "elsewhere"), nil)
	e := throttled(t, b.try(weakPasscode, "192.0.2.252", "mine"))
	if e.Scope != "segment" || len(e.HoldCode) != codeLength || e.RetryAfter > time.Minute {
		t.Fatalf("%+v", e)
	}
	if again := throttled(t, b.try(weakPasscode, "192.0.2.252", "mine")); again.HoldCode != e.HoldCode {
		t.Error("the code changed while the device shows it")
	}
	held, err := b.Held(t.Context())
	if err != nil || len(held) < 2 {
		t.Fatalf("held %+v, err %v", held, err)
	}
	mine := held[len(held)-1]
	for _, h := range held {
		if h.Code == e.HoldCode {
			mine = h
		}
	}
	if mine.Address != "192.0.2.252" || !strings.Contains(mine.Device, "mine") || !strings.Contains(mine.Reason, "segment") || mine.Released {
		t.Errorf("listed as %+v", mine)
	}
	wants(t, b.Release(t.Context(), Actor{Name: "anna"}, "NOPE1"), ErrNoHold)
	if err := b.Release(t.Context(), Actor{Name: "anna", Address: "10.0.0.1"}, " "+e.HoldCode+"\n"); err != nil {
		t.Fatal(err)
	}
	if entry := b.trail.wants(t, "hold.released:ok:"); entry.Actor != "anna" || entry.Object != "192.0.2.252" {
		t.Errorf("audit %+v", entry)
	}
	// The code is for this address and device alone.
	throttled(t, b.try(weakPasscode, "192.0.2.253", "mine"))
	throttled(t, b.try(weakPasscode, "192.0.2.252", "other"))
	wants(t, b.try("wrong", "192.0.2.252", "mine"), ErrWrong)
	wants(t, b.try(weakPasscode, "192.0.2.252", "mine"), nil)
	throttled(t, b.try(weakPasscode, "192.0.2.252", "mine")) // used up by success
}

func TestReleaseIsForSomeTriesAndMinutes(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	fillSegment(t, b, "192.0.2")
	code := throttled(t, b.try("x", "192.0.2.252", "mine")).HoldCode
	if err := b.Release(t.Context(), Actor{}, code); err != nil {
		t.Fatal(err)
	}
	for range releaseTries {
		wants(t, b.try("wrong", "192.0.2.252", "mine"), ErrWrong)
	}
	b.clock.add(5 * time.Second)
	if e := throttled(t, b.try(weakPasscode, "192.0.2.252", "mine")); e.HoldCode != code {
		t.Errorf("after the tries: %+v", e)
	}
	if err := b.Release(t.Context(), Actor{}, code); err != nil {
		t.Fatal(err)
	}
	b.clock.add(releaseLasts)
	b.throttle.mu.Lock()
	active := b.throttle.holds.byCode[code].active(b.clock.now())
	b.throttle.mu.Unlock()
	if active {
		t.Error("the release never ends")
	}
}

func TestTotalCapFollowsStrength(t *testing.T) {
	for bits, want := range map[float64]float64{5: 2000, 20: 2000, 21: 4000, 25: 64000, 30: 2048000} {
		if l := limitsFor(bits); l.total.burst+l.total.perDay != want {
			t.Errorf("%v bits: %v guesses a day, want %v", bits, l.total.burst+l.total.perDay, want)
		}
	}
	for _, bits := range []float64{0, 50, 90} {
		if limitsFor(bits).total.limited() {
			t.Errorf("%v bits: there is a cap", bits)
		}
	}
	for bits := range 100 {
		l := limitsFor(float64(bits))
		if day := l.segment.burst + l.segment.perDay; day < 500 || day > 20000 || l.total.limited() && day > (l.total.burst+l.total.perDay)/4 {
			t.Errorf("%d bits: %v a day for a segment", bits, day)
		}
	}
}

// Guessing from everywhere, day and night: the cap holds whatever is tried.
func TestTotalCapOverADay(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	l := limitsFor(MinPasscodeBits)
	looked := 0
	for minute := range 24 * 60 {
		for i := range 12 {
			n := minute*12 + i
			s := newSubject(from(fmt.Sprintf("10.%d.%d.%d", n%200, n/200%200, n%7+1)), machine(fmt.Sprint(n)))
			if a, held := th.begin(s, l); held == nil {
				a.fail()
				looked++
			} else if held.HoldCode == "" {
				t.Fatalf("no code: %+v", held)
			}
			c.add(5 * time.Second)
		}
	}
	if looked > 2000 || looked < 1900 {
		t.Errorf("%d guesses in a day, want about 2000", looked)
	}
}

func TestSetPasscodeForgetsGuesses(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, weakPasscode)
	fillSegment(t, b, "192.0.2")
	b.setPasscode(t, "rg5")
	wants(t, b.try("rg5", "192.0.2.1", "a"), nil)
}

// An attempt whose caller goes away while it waits for its turn costs nothing.
func TestCancelledWhileQueuedIsGivenBack(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range hashesAtOnce {
		if err := b.gate.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		_, _, err := b.SignInPasscode(ctx, "wrong", "", machine("a"), from("192.0.2.7"))
		wants(t, err, context.Canceled)
	}
	for range hashesAtOnce {
		b.gate.leave()
	}
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
}

func TestClockSetBackDoesNotLockOut(t *testing.T) {
	b := newBench(t)
	b.setPasscode(t, rightPasscode)
	for range 5 {
		wants(t, b.try("wrong", "192.0.2.7", "a"), ErrWrong)
	}
	b.clock.add(-365 * 24 * time.Hour)
	if e := throttled(t, b.try("x", "192.0.2.7", "a")); e.RetryAfter > time.Minute {
		t.Errorf("a wait of %v", e.RetryAfter)
	}
}
