package state

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"slipway/fleet"
)

// helperVariable makes the test binary a helper process instead of running tests.
const helperVariable = "SLIPWAY_STATE_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "":
		os.Exit(m.Run())
	case "load":
		helperLoad()
	case "full":
		helperFull()
	case "restore":
		helperRestore()
	}
}

// helper is this test binary, to be run as a helper process.
func helper(t *testing.T, name, dir string, extra ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), append([]string{"GORACE=atexit_sleep_ms=0", helperVariable + "=" + name, "SLIPWAY_STATE_DIR=" + dir}, extra...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// soak reports whether the long forms of tests run.
func soak() bool { return os.Getenv("SLIPWAY_SOAK") != "" }

// random is seeded from SLIPWAY_SEED or the clock; the seed is printed.
func random(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("SLIPWAY_SEED"); v != "" {
		seed, _ = strconv.ParseUint(v, 10, 64)
	}
	t.Logf("SLIPWAY_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// quiet are options for a test's store: small segments, messages only on request.
func quiet(dir string) Options {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("SLIPWAY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return Options{Dir: dir, Logger: log, SegmentSize: 256 << 10}
}

func open(t testing.TB, o Options) *Store {
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

// update is an Update that must succeed.
func update(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// view is a View that must succeed.
func view(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.View(fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func putDevice(id, name string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Devices().Put(fleet.Device{ID: id, Name: name}) }
}

func deviceName(t testing.TB, s *Store, id string) string {
	t.Helper()
	var name string
	view(t, s, func(tx *Tx) error {
		d, err := tx.Devices().Get(id)
		name = d.Name
		return err
	})
	return name
}

// eventually polls until ok or a deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("did not happen: %s", what)
}
