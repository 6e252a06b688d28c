//go:build lab

package boottest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/lab"
)

// `make lab` on a terminal: the machine's console is the terminal, what is typed
// reaches the machine, Ctrl-] leaves, and nothing is left behind.
func TestMakeLabOnATerminal(t *testing.T) {
	near, far := openTerminal(t)
	packages(t)
	// What it builds first is there, and is what the other tests run.
	cmd := exec.Command("make", "--no-print-directory", "-o", "build", "-o", "packages", "lab")
	cmd.Dir = lab.Root()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // of a make around the test
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "FIRMWARE=")
	})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) })

	shown := &shared{}
	go func() { // ends when the test closes the terminal
		buf := make([]byte, 4096)
		for {
			n, err := near.Read(buf)
			shown.write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	shown.wait(t, 4*time.Minute, "Console: https://127.0.0.1:")
	shown.wait(t, time.Minute, "Powering on a machine (uefi)")
	shown.wait(t, 4*time.Minute, "Type the passcode")
	for _, c := range lab.Passcode + "\r" {
		_, err := near.WriteString(string(c))
		must(t, err)
		time.Sleep(20 * time.Millisecond) // a typist
	}
	shown.wait(t, time.Minute, "Choose a task sequence")
	_, err := near.Write([]byte{0x1d})
	must(t, err)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("make lab ended with %v", err)
		}
	case <-time.After(lab.Timeout(30 * time.Second)):
		t.Fatal("Ctrl-] does not end it")
	}
	config := regexp.MustCompile(`SLIPWAY_CONFIG=(/\S*slwlab-\S+)/slipway\.yaml`).FindStringSubmatch(shown.text())
	if config == nil {
		t.Fatalf("it did not say how to give commands:\n%s", shown.text())
	}
	left, err := filepath.Glob("/run/netns/" + filepath.Base(config[1]) + "*")
	must(t, err)
	if _, err := os.Stat(config[1]); err == nil || len(left) > 0 {
		t.Errorf("left behind: %v, folder %s: %v", left, config[1], err)
	}
}

// shared is text that one goroutine writes and another waits for.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(p)
}

func (s *shared) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *shared) wait(t *testing.T, limit time.Duration, want string) {
	t.Helper()
	for deadline := time.Now().Add(lab.Timeout(limit)); !strings.Contains(s.text(), want); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q on the terminal:\n%s", want, s.text())
		}
	}
}

// openTerminal makes a pseudo terminal (pty(7)) and returns its two ends.
func openTerminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	must(t, err)
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}
