package audit

import (
	"fmt"
	"testing"
	"time"
)

func TestRepeatsAreMerged(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), Options{Now: c.now})
	for range 50 {
		write(t, l, refused("192.0.2.7", "d1"))
		c.add(time.Second)
	}
	if all := recent(t, l, Filter{}); len(all) != 1 || all[0].Count != 0 {
		t.Fatalf("the first must be written at once and alone: %+v", all)
	}
	c.add(time.Minute)
	l.flush(false)
	all := recent(t, l, Filter{})
	if len(all) != 2 || all[0].Count != 49 {
		t.Fatalf("have %+v, want one entry of 49 repeats", all)
	}
	if want := newClock().now().Add(time.Second); !all[0].First.Equal(want) {
		t.Errorf("First = %v, want %v", all[0].First, want)
	}
	// The window stays open while failures go on, then is forgotten.
	write(t, l, refused("192.0.2.7", "d1"))
	c.add(time.Minute)
	l.flush(false)
	if all = recent(t, l, Filter{}); len(all) != 3 || all[0].Count != 0 {
		t.Fatalf("a single repeat is a plain entry: %+v", all)
	}
	c.add(time.Minute)
	l.flush(false)
	if n := len(l.merger.windows); n != 0 {
		t.Errorf("%d windows stay open", n)
	}
}

// TestRepeatsAfterTheClockWasSetBack: they are not held back until it is the old time again.
func TestRepeatsAfterTheClockWasSetBack(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), Options{Now: c.now})
	for range 5 {
		write(t, l, refused("192.0.2.7", "d1"))
	}
	c.add(-24 * time.Hour)
	l.flush(false)
	if all := recent(t, l, Filter{}); len(all) != 2 {
		t.Errorf("%d entries, want the first and its repeats: %+v", len(all), all)
	}
}

func TestWhatIsNotMerged(t *testing.T) {
	l := open(t, t.TempDir(), Options{Now: newClock().now})
	write(t, l, refused("192.0.2.7", "d1"))
	write(t, l, refused("192.0.2.8", "d1"))
	write(t, l, refused("192.0.2.7", "d2"))
	other := refused("192.0.2.7", "d1")
	other.Reason = "throttled"
	write(t, l, other)
	write(t, l, ok("a"))
	write(t, l, ok("a"))
	if all := recent(t, l, Filter{}); len(all) != 6 {
		t.Errorf("%d entries, want 6: %+v", len(all), all)
	}
}

func TestRepeatsAreNotLostAtClose(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	for range 5 {
		write(t, l, refused("192.0.2.7", ""))
	}
	l.Close()
	l = open(t, dir, Options{})
	if all := recent(t, l, Filter{}); len(all) != 2 || all[0].Count != 4 {
		t.Errorf("have %+v", all)
	}
}

// A stranger who varies address and device on every attempt, for a day.
func TestStrangerCannotFloodTheLog(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	l := open(t, dir, Options{Now: c.now})
	write(t, l, ok("worth.keeping"))
	n := 0
	for second := range 24 * 60 {
		for i := range 20 { // twenty times a minute is as good as any number
			n++
			write(t, l, refused(fmt.Sprintf("2001:db8::%x:%x", second, i), fmt.Sprint("d", n)))
		}
		c.add(time.Minute)
		l.flush(false)
	}
	l.flush(true)
	// 1000 at once, four a minute, and one each five minutes for all others.
	if size := folderSize(t, dir); size > 2<<20 {
		t.Errorf("a day of attack wrote %d bytes", size)
	}
	var counted int
	before := int64(0)
	for {
		page, err := l.Recent(Filter{Action: "passcode."}, before, maxPage)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			counted += max(1, e.Count)
		}
		before = page[len(page)-1].Number
	}
	if counted != n {
		t.Errorf("%d attempts, the log tells of %d", n, counted)
	}
	if len(recent(t, l, Filter{Action: "worth.keeping"})) != 1 {
		t.Error("the older entry was pushed out")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), Options{Now: c.now, Burst: 1 << 20})
	for i := range 3 * maxWindows {
		e := refused("192.0.2.1", fmt.Sprint(i))
		e.Reason = fmt.Sprint("reason ", i%1000)
		write(t, l, e)
	}
	if n := len(l.merger.windows); n > maxWindows {
		t.Errorf("%d windows", n)
	}
	if n := len(l.merger.overflow); n > maxOverflow+1 {
		t.Errorf("%d overflow windows", n)
	}
	c.add(time.Hour)
	l.flush(false)
	var counted int
	for before := int64(0); ; {
		page, err := l.Recent(Filter{}, before, maxPage)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			counted += max(1, e.Count)
		}
		before = page[len(page)-1].Number
	}
	if counted != 3*maxWindows {
		t.Errorf("the log tells of %d attempts, want %d", counted, 3*maxWindows)
	}
}

func TestBackgroundEndsWindows(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), Options{Now: c.now, SyncEvery: time.Millisecond})
	entries := l.Subscribe(t.Context())
	write(t, l, refused("192.0.2.7", ""))
	write(t, l, refused("192.0.2.7", ""))
	write(t, l, refused("192.0.2.7", ""))
	<-entries
	c.add(time.Minute)
	select {
	case e := <-entries:
		if e.Count != 2 {
			t.Errorf("merged entry %+v", e)
		}
	case <-time.After(60 * time.Second):
		t.Error("the window never ended")
	}
}
