//go:build lab

package boottest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/lab"
)

// victimVariable makes this test binary a lab that waits to be killed.
const victimVariable = "SLIPWAY_LAB_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) == "" {
		os.Exit(m.Run())
	}
	if err := victim(); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// victim makes two labs with a server in each, tells their names, and waits.
func victim() error {
	for range 2 {
		run, err := lab.NewRun(lab.Options{Label: "victim"})
		if err != nil {
			return err
		}
		run.CloseOnSignal()
		net, err := run.NewNetwork()
		if err != nil {
			return err
		}
		if _, err := net.StartDHCP(lab.DHCPOptions{}); err != nil {
			return err
		}
		fmt.Println(run.Name)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// A lab that is asked to end cleans up; one that is killed leaves no process
// behind, and the next lab removes its namespaces. A lab that runs beside it is
// not touched.
func TestLabCleansUp(t *testing.T) {
	beside, _ := newRun(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			names, end := startVictim(t)
			for _, name := range names {
				if len(namespaces(t, name)) != 2 {
					t.Fatalf("the lab has %v", namespaces(t, name))
				}
			}
			end(signal)
			if signal == syscall.SIGKILL {
				for _, name := range names {
					waitNoProcess(t, name)
				}
				must(t, lab.Reap(slog.New(slog.DiscardHandler)))
			}
			for _, name := range names {
				if left := namespaces(t, name); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				if _, err := os.Stat(filepath.Join(os.TempDir(), name)); err == nil {
					t.Error("the lab's folder was left behind")
				}
			}
			if len(namespaces(t, beside.Name)) != 1 {
				t.Error("the lab beside it was touched")
			}
		})
	}
}

// startVictim starts two labs in one process whose error output nobody reads any more,
// as when Ctrl-C has ended the reader too.
func startVictim(t *testing.T) (names [2]string, end func(syscall.Signal)) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"=1")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	nobody, broken, err := os.Pipe()
	must(t, err)
	cmd.Stderr = broken
	must(t, cmd.Start())
	must(t, errors.Join(nobody.Close(), broken.Close()))
	t.Cleanup(func() { in.Close() })
	lines := bufio.NewScanner(out)
	for i := range names {
		if !lines.Scan() || strings.HasPrefix(lines.Text(), "error") {
			t.Fatalf("the other lab says %q", lines.Text())
		}
		names[i] = lines.Text()
	}
	return names, func(s syscall.Signal) {
		must(t, cmd.Process.Signal(s))
		if err := cmd.Wait(); err == nil {
			t.Errorf("the lab ended as if nothing had happened")
		}
	}
}

func namespaces(t *testing.T, run string) []string {
	t.Helper()
	names, err := filepath.Glob("/run/netns/" + run + "-*")
	must(t, err)
	return names
}

// waitNoProcess waits until the killed lab's servers are gone: the kernel ends
// them with their parent.
func waitNoProcess(t *testing.T, run string) {
	t.Helper()
	deadline := time.Now().Add(lab.Timeout(5 * time.Second))
	for {
		var pids string
		for _, n := range namespaces(t, run) {
			out, err := exec.Command("ip", "netns", "pids", filepath.Base(n)).Output()
			must(t, err)
			pids += string(out)
		}
		if pids == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes outlive their lab: %s", pids)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
