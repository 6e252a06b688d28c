package lab

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func newTestRun(t *testing.T) *Run {
	t.Helper()
	r := &Run{Name: namePrefix + "-test", Dir: t.TempDir(), starter: newStarter()}
	r.OnClose(func() error { r.starter.stop(); return nil })
	return r
}

// A signal may close a run while it is still being built: what comes later is not made,
// or is unmade at once.
func TestNothingOutlivesAClosedRun(t *testing.T) {
	r := newTestRun(t)
	p, err := r.Start("before", nil, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if p.Err() == nil {
		t.Error("a process outlives its run")
	}
	if _, err := r.Start("late", nil, "sleep", "60"); !errors.Is(err, errClosed) {
		t.Errorf("a process: %v", err)
	}
	if _, err := r.Namespace("late"); !errors.Is(err, errClosed) {
		t.Errorf("a namespace: %v", err)
	}
	called := false
	r.OnClose(func() error { called = true; return nil })
	if !called {
		t.Error("what is registered late is never unmade")
	}
}

// The number of a process that has ended may be another's by now.
func TestAnEndedProcessIsNotSignalled(t *testing.T) {
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	p := &Process{Name: "ended", cmd: other, done: make(chan struct{})}
	close(p.done)
	p.Kill()
	p.Stop()
	if err := p.Signal(syscall.SIGTERM); err == nil {
		t.Error("a process that has ended took a signal")
	}
	select {
	case err := <-ended:
		t.Errorf("another process was ended: %v", err)
	case <-time.After(200 * time.Millisecond):
		_ = other.Process.Kill()
		<-ended
	}
}
