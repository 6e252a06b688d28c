package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestWritesSurviveReopening(t *testing.T) {
	o := quiet(t.TempDir())
	s := open(t, o)
	update(t, s, putDevice("d1", "one"))
	if got := deviceName(t, s, "d1"); got != "one" {
		t.Fatalf("read %q right after the write", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The best of some starts: a busy machine may make one of them slow.
	again, best := (*Store)(nil), time.Hour
	for try := 0; try < 20 && best > time.Second; try++ {
		if again != nil {
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		again = open(t, o)
		best = min(best, time.Since(start))
	}
	if best > time.Second {
		t.Errorf("starting took %v at best", best)
	}
	if got := deviceName(t, again, "d1"); got != "one" {
		t.Fatalf("read %q after reopening", got)
	}
	if again.id != s.id {
		t.Errorf("server id was %q, is %q", s.id, again.id)
	}
}

func TestASecondProcessIsToldWhoHoldsTheFolder(t *testing.T) {
	o := quiet(t.TempDir())
	open(t, o)
	_, err := Open(t.Context(), o)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	if want := "another slipway is running with this data folder (pid "; !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("message %q", err)
	}
}

func TestAfterClose(t *testing.T) {
	s := open(t, quiet(t.TempDir()))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	nothing := func(*Tx) error { return nil }
	if err := s.View(nothing); !errors.Is(err, ErrClosed) {
		t.Errorf("View: %v", err)
	}
	if err := s.Update(context.Background(), nothing); !errors.Is(err, ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if err := s.Ready(); !errors.Is(err, ErrClosed) {
		t.Errorf("Ready: %v", err)
	}
	if _, open := <-s.Subscribe(context.Background()); open {
		t.Error("a subscription to a closed store stays open")
	}
}

func TestReady(t *testing.T) {
	if err := open(t, quiet(t.TempDir())).Ready(); err != nil {
		t.Fatal(err)
	}
}

func TestBadOptionsAreRefusedBeforeAnythingIsMade(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder":     {},
		"small segment": {Dir: t.TempDir(), SegmentSize: 1},
		"small reserve": {Dir: t.TempDir(), Reserve: 1},
	} {
		if s, err := Open(t.Context(), o); err == nil {
			t.Errorf("%s: opened", name)
			s.Close()
		}
	}
}

// Whatever a store starts ends with it.
func TestCloseLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		o := smallSegments(t.TempDir())
		s, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		s.Subscribe(t.Context(), "devices")
		writeNumbered(t, s, 0, 50, 3000)
		if err := s.snapshot(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// raft-wal's own goroutine and raft's timers end a moment later
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	var open []string
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.Contains(to, "TestCloseLeavesNothingRunning") {
			open = append(open, to)
		}
	}
	if len(open) > 0 {
		t.Errorf("files are still open: %v", open)
	}
}
