package state

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// quiet are options for a test's store: small segments, messages only on request.
func quiet(dir string) Options {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("SLIPWAY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return Options{Dir: dir, Logger: log, SegmentSize: 256 << 10}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func putDevice(id, name string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: id, Name: name}) }
}

func deviceName(t *testing.T, s *Store, id string) string {
	t.Helper()
	var name string
	err := s.View(func(tx *Tx) error {
		d, err := tx.Devices().Get(id)
		name = d.Name
		return err
	})
	if err != nil {
		t.Fatalf("read device %s: %v", id, err)
	}
	return name
}

func TestWritesSurviveReopening(t *testing.T) {
	o := quiet(t.TempDir())
	start := time.Now()
	s := open(t, o)
	t.Logf("first start took %v", time.Since(start))
	if err := s.Update(t.Context(), putDevice("d1", "one")); err != nil {
		t.Fatal(err)
	}
	if got := deviceName(t, s, "d1"); got != "one" {
		t.Fatalf("read %q right after the write", got)
	}
	start = time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("close took %v", time.Since(start))
	start = time.Now()
	again := open(t, o)
	took := time.Since(start)
	t.Logf("second start took %v", took)
	if took > time.Second {
		t.Errorf("starting took %v", took)
	}
	if got := deviceName(t, again, "d1"); got != "one" {
		t.Fatalf("read %q after reopening", got)
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
