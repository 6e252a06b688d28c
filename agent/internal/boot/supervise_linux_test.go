package boot

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
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

// inNamespace runs the test again as PID 1 of a namespace of its own, and reports whether
// this is that run.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const here = "SLIPWAY_TEST_AS_INIT"
	if os.Getenv(here) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), here+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return false
	}
	if os.Getpid() != 1 {
		t.Fatal("this is for PID 1: it may end every program")
	}
	return true
}

func TestPID1OutlivesSignals(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	outlive()
	for _, name := range []string{"HUP", "QUIT", "ABRT", "USR1", "USR2", "TRAP", "16", "SYS", "XCPU", "XFSZ", "PIPE", "ALRM"} {
		if out, err := exec.Command("sh", "-c", "kill -"+name+" 1").CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out, err := exec.Command("sh", "-c", "kill -HUP $$; echo ignored").CombinedOutput(); err == nil {
		t.Errorf("commands of steps inherit it: %s", out)
	}
}

func TestWhatACrashedWorkerLeftEnds(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	for _, script := range []string{
		"sleep 60",
		"(setsid sleep 60 &)", // an orphan with a session of its own
		"trap 'sleep 0.3; echo told > " + dir + "/told; exit' TERM; touch " + dir + "/ready1; while :; do sleep 0.05; done",
		"trap '' TERM; touch " + dir + "/ready2; while :; do sleep 0.05; done",
	} {
		if err := exec.Command("sh", "-c", script).Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"/ready1", "/ready2"} {
		for limit := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(dir + name); err == nil {
				break
			} else if time.Now().After(limit) {
				t.Fatal(err)
			}
		}
	}
	endLeft(2 * time.Second)
	if text, err := os.ReadFile(dir + "/told"); err != nil {
		t.Errorf("what takes a moment to end was not waited for: %q, %v", text, err)
	}
	for limit := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.ECHILD) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("something goes on: %d, %v", got, err)
		}
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
