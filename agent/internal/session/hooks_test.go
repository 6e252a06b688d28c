package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/agent/internal/steps"
)

// hookExec notes what is run. A program whose name begins with its number fails so.
type hookExec struct {
	mu  sync.Mutex
	ran []steps.Command
}

func (e *hookExec) Run(ctx context.Context, c steps.Command) (int, error) {
	e.mu.Lock()
	e.ran = append(e.ran, c)
	e.mu.Unlock()
	line := c.Line + strings.Join(c.Args, " ")
	switch {
	case strings.Contains(line, "20-fails"):
		return 3, nil
	case strings.Contains(line, "30-hangs"):
		<-ctx.Done()
		return -1, context.Cause(ctx)
	case strings.Contains(line, "40-missing"):
		return -1, errors.New("the command could not be started")
	}
	return 0, nil
}

func (e *hookExec) said() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, c := range e.ran {
		out = append(out, c.Line+"|"+strings.Join(c.Args, " "))
		if len(c.Env) > 0 || c.Stdin != "" {
			out = append(out, fmt.Sprintf("with %q and %q", c.Env, c.Stdin))
		}
	}
	return strings.Join(out, "\n")
}

func withHooks(t *testing.T, d *device, names ...string) *hookExec {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := &hookExec{}
	d.session.Machine.Exec = e
	d.session.Hooks = Hooks{Dir: dir, Ran: filepath.Join(t.TempDir(), "ran"), Limit: 2 * time.Second}
	return e
}

// Hooks run in the order of their names after the sign-in and before the choice, each
// to its end or its time limit, with nothing of the sign-in in their environment. What
// fails is named from then on and holds up nothing.
func TestHooksRunAfterTheSignIn(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	e := withHooks(t, d, "10-first.CMD", "20-fails.bat", "30-hangs.exe", "40-missing.ps1", "50-last.exe", "notes.txt")
	d.powerOn()
	d.sees("Passcode")
	if e.said() != "" {
		t.Errorf("before the sign-in: %s", e.said())
	}
	d.types("correct horse\r")
	d.sees("Running the hooks")
	d.sees("Choose a task sequence")
	dir := d.session.Hooks.Dir + "/"
	want := `cmd.exe /d /s /c ""` + dir + `10-first.CMD""|cmd.exe` + "\n" + `cmd.exe /d /s /c ""` + dir + `20-fails.bat""|cmd.exe` + "\n|" + dir + "30-hangs.exe\n" +
		"|powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File " + dir + "40-missing.ps1\n|" + dir + "50-last.exe"
	if got := e.said(); got != want {
		t.Errorf("ran:\n%s\nwant:\n%s", got, want)
	}
	if w := d.session.Display.Facts().Warning; w != `The hook after-sign-in\20-fails.bat failed: exit code 3 (and 2 more)` {
		t.Errorf("the pages say %q", w)
	}
	d.types("1")
	d.sees(`30-hangs.exe failed: it was ended`) // among the output of the deployment
	d.sees("40-missing.ps1 failed: the command")
	d.sees("Succeeded")
}

// Hooks run once in a start of the computer: not again for an agent that was started
// again or a new sign-in, and again after a restart, also when nobody signs in.
func TestHooksRunOnceInAStart(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	first := withHooks(t, d, "1.cmd")
	d.powerOn()
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	d.appliance.Revoke()
	d.types("1")
	d.sees("Passcode")
	d.types("correct horse\r")
	d.sees("Choose a task sequence")
	if n := strings.Count(first.said(), "1.cmd"); n != 1 {
		t.Errorf("ran %d times with two sign-ins", n)
	}
	d.stop()

	for _, restarted := range []bool{false, true} {
		next := d.again()
		e := withHooks(t, next)
		next.session.StateDir, next.session.Identity, next.session.Hooks = d.session.StateDir, d.session.Identity, d.session.Hooks
		if restarted {
			if err := os.Remove(d.session.Hooks.Ran); err != nil {
				t.Fatal(err)
			}
		}
		next.powerOn()
		next.sees("Choose a task sequence") // by the sign-in that was kept
		if got := strings.Count(e.said(), "1.cmd"); got != map[bool]int{false: 0, true: 1}[restarted] {
			t.Errorf("restarted %t: ran %d times", restarted, got)
		}
		next.stop()
	}
}
