package state

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/fleet"
)

// crashOptions make segments turn over and snapshots happen all the time.
func crashOptions(dir string) Options {
	return Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), SegmentSize: 64 << 10, SnapshotEvery: 300}
}

const crashWriters = 4

// helperLoad writes without end: each writer counts one record up and one record
// per write under a new key, and prints what was acknowledged. It ends by SIGKILL.
func helperLoad() {
	s, err := Open(context.Background(), crashOptions(os.Getenv("SLIPWAY_STATE_DIR")))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	var out sync.Mutex
	for w := range crashWriters {
		go func() {
			for {
				n, err := writeNext(s, w)
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println(w, n)
				out.Unlock()
			}
		}()
	}
	select {}
}

// writeNext counts writer w's counter up and files the number under its own key,
// in one transaction; keys more than 500 back are removed.
func writeNext(s *Store, w int) (n int, err error) {
	err = s.Update(context.Background(), func(tx *Tx) error {
		counter := fmt.Sprintf("counter-%d", w)
		d, err := tx.Waits().Get(counter)
		if err != nil {
			d = fleet.Wait{Key: counter}
		}
		d.Failures++
		n = d.Failures
		if err := tx.Waits().Put(d); err != nil {
			return err
		}
		if err := tx.Devices().Delete(crashKey(w, n-500)); err != nil {
			return err
		}
		return tx.Devices().Put(fleet.Device{ID: crashKey(w, n), Name: strings.Repeat("x", n%400), Serial: strconv.Itoa(n)})
	})
	return n, err
}

func crashKey(w, n int) string { return fmt.Sprintf("w%d-%08d", w, n) }

// TestAcknowledgedWritesSurviveSIGKILL kills a process that writes, at a random
// moment, again and again on the same folder.
func TestAcknowledgedWritesSurviveSIGKILL(t *testing.T) {
	rounds, longest := 12, 250*time.Millisecond
	if soak() {
		rounds, longest = 200, time.Second
	}
	rnd := random(t)
	dir := t.TempDir()
	var acked [crashWriters]int
	round := 0
	for ; round < rounds || acked[0] < 100 && round < 20*rounds; round++ { // on a busy machine a round writes little
		before := acked
		killLoad(t, dir, time.Duration(rnd.Int64N(int64(longest))), &acked)
		for w := range acked {
			if acked[w] < before[w] {
				t.Fatalf("round %d: writer %d went back from %d to %d", round, w, before[w], acked[w])
			}
		}
		verifyLoad(t, dir, &acked)
	}
	t.Logf("%d kills, last acknowledged %v", round, acked)
	if acked[0] < 100 {
		t.Errorf("only %v writes were acknowledged: the load is too small to prove anything", acked)
	}
}

// killLoad runs the load, kills it after a while and notes what it had printed.
func killLoad(t *testing.T, dir string, after time.Duration, acked *[crashWriters]int) {
	t.Helper()
	cmd := helper(t, "load", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var w, n int
		switch line := lines.Text(); {
		case line == "ready":
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		case strings.HasPrefix(line, "error"):
			cmd.Process.Kill()
			t.Fatalf("the load failed: %s", line)
		default:
			if _, err := fmt.Sscan(line, &w, &n); err == nil && strings.Count(line, " ") == 1 {
				acked[w] = max(acked[w], n)
			}
		}
	}
	if timer == nil {
		t.Fatal("the load never began")
	}
	cmd.Wait() // killed
}

// verifyLoad opens the folder and looks for every acknowledged write. A write that
// was not acknowledged may be there too, whole.
func verifyLoad(t *testing.T, dir string, acked *[crashWriters]int) {
	t.Helper()
	s := open(t, crashOptions(dir))
	view(t, s, func(tx *Tx) error {
		for w, n := range acked {
			c, err := tx.Waits().Get(fmt.Sprintf("counter-%d", w))
			if n > 0 && (err != nil || c.Failures < n) {
				t.Fatalf("writer %d: %d was acknowledged, %d is kept (%v)", w, n, c.Failures, err)
			}
			for i := max(1, c.Failures-499); i <= c.Failures; i++ {
				d, err := tx.Devices().Get(crashKey(w, i))
				if err != nil || len(d.Name) != i%400 || d.Serial != strconv.Itoa(i) {
					t.Fatalf("writer %d, write %d of %d: %+v, %v", w, i, c.Failures, d, err)
				}
			}
			acked[w] = c.Failures
		}
		if got, most := tx.Devices().Len(), crashWriters*500; got > most {
			t.Fatalf("%d records, at most %d should be left", got, most)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
