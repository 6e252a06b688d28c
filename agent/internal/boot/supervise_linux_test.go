package boot

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test program play the worker when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[0] == "slipway-agent" && os.Args[1] == WorkerArg {
		panic("the worker of the test")
	}
	os.Exit(m.Run())
}

func TestRunWorkerTellsWhyItCrashed(t *testing.T) {
	var log bytes.Buffer
	status, words, err := runWorker(&log)
	if err != nil {
		t.Fatal(err)
	}
	if !status.Exited() || status.ExitStatus() != 2 {
		t.Errorf("status %v", describe(status))
	}
	if !strings.HasPrefix(words, "panic: the worker of the test") {
		t.Errorf("last words: %q", words)
	}
	if !strings.Contains(log.String(), "the worker of the test") {
		t.Errorf("log: %q", log.String())
	}
}

func TestLastLinesKeepTheReason(t *testing.T) {
	var l lastLines
	noise := strings.Repeat("noise\n", 100)
	l.copy(strings.NewReader(noise+"fatal error: out of memory\ngoroutine 1\n"+noise), &bytes.Buffer{})
	if !strings.HasPrefix(l.text(), "fatal error: out of memory\ngoroutine 1") {
		t.Errorf("got %q", l.text())
	}
	if n := strings.Count(l.text(), "\n"); n >= keptLines {
		t.Errorf("%d lines kept", n)
	}
}

func TestCrashesWaitLongerThenGiveUp(t *testing.T) {
	s := &supervisor{}
	now := time.Unix(1000, 0)
	var waits []time.Duration
	for range crashesBeforeRestart - 1 {
		wait, again := s.crashed(now)
		if !again {
			t.Fatalf("gave up after %d", len(waits))
		}
		waits = append(waits, wait)
	}
	if !slices.IsSorted(waits) || waits[0] != 2*time.Second || waits[len(waits)-1] != maxCrashWait {
		t.Errorf("waits %v", waits)
	}
	if _, again := s.crashed(now); again {
		t.Error("never gives up")
	}
	if _, again := s.crashed(now.Add(crashWindow)); !again {
		t.Error("old crashes count forever")
	}
}

func TestRealMountsDeepestFirst(t *testing.T) {
	text := "proc /proc proc rw 0 0\n/dev/sda2 /mnt ext4 rw 0 0\n/dev/sda1 /mnt/boot/efi vfat rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/sdb1 /mnt/a\\040b ext4 rw 0 0\n"
	want := []string{"/mnt/boot/efi", "/mnt/a b", "/mnt"}
	if got := realMounts(text); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestExitCodes(t *testing.T) {
	if Restart.ExitCode() != exitRestart || PowerOff.ExitCode() != exitPowerOff {
		t.Error("PID 1 would not understand the worker")
	}
}
