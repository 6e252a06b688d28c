package installed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/agent/wire"
)

// openPTY returns both ends of a terminal.
func openPTY(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { near.Close() })
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// In a terminal a person is asked on the same pages as in the boot image, and
// gets the terminal back.
func TestInATerminal(t *testing.T) {
	m := newMachine(t, map[string]any{})
	m.Do(func() { m.Mechanisms.Mechanisms = []string{wire.Passcode} })
	near, far := openPTY(t)
	before, err := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "--config", filepath.Join(m.dir, "agent.json"), "--state", filepath.Join(m.dir, "state"))
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_MACHINE="+m.dir, "SLIPWAY_TEST_CLOCK=0s")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	defer over.Stop()

	var mu sync.Mutex
	var seen strings.Builder
	go func() { // ends with the terminal
		buf := make([]byte, 4096)
		for {
			n, err := near.Read(buf)
			mu.Lock()
			seen.Write(buf[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	sees := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			all := seen.String()
			mu.Unlock()
			if strings.Contains(all, text) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q never came; the terminal shows %q", text, all[max(0, len(all)-2000):])
			}
		}
	}
	sees("Passcode")
	if _, err := near.WriteString("correct horse\r"); err != nil {
		t.Fatal(err)
	}
	sees("Choose a task sequence")
	if _, err := near.WriteString("1"); err != nil {
		t.Fatal(err)
	}
	sees("\x1b[?25hTask sequence \"Installed\", 1 step, deployment d1\r\nStep 1 of 1: Say\r\n") // after the pages, not among them
	sees("\r\nSucceeded\r\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	after, err := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is left as %+v, %v", after, err)
	}
	m.has("state", false)
}
