package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/agent/internal/screen"
	"slipway/agent/internal/steps"
)

// Hooks are programs in the boot image that run once after the sign-in. They are the
// administrator's and get nothing of the sign-in or the deployment.
type Hooks struct {
	Dir   string        // folder of the programs; they run in the order of their names
	Ran   string        // file that is made before the first one runs; in memory, so that a restart of the computer forgets it
	Limit time.Duration // for each one; hookLimit when zero
}

const hookLimit = 10 * time.Minute

// hookEndings are the programs that hooks may be; other files are theirs to use.
var hookEndings = []string{".cmd", ".bat", ".exe", ".ps1"}

// list returns the programs' names in their order.
func (h Hooks) list() (out []string, err error) {
	if h.Dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(h.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for hooks: %w", err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && slices.Contains(hookEndings, strings.ToLower(filepath.Ext(e.Name()))) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// command runs a hook as the boot image's start.cmd runs the earlier ones.
func (h Hooks) command(name string) steps.Command {
	p := filepath.Join(h.Dir, name)
	switch strings.ToLower(filepath.Ext(name)) {
	case ".exe":
		return steps.Command{Args: []string{p}}
	case ".ps1":
		return steps.Command{Args: []string{"powershell.exe", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", p}}
	}
	// With /s the outer quotation marks go and all between them is taken as it is.
	return steps.Command{Args: []string{"cmd.exe"}, Line: `cmd.exe /d /s /c ""` + p + `""`}
}

// afterSignIn runs the hooks unless they ran since the computer started. One that fails
// is named in the log and on the screen, and holds up nothing. The error is ctx's.
func (s *Session) afterSignIn(ctx context.Context) error {
	names, err := s.Hooks.list()
	if err != nil {
		s.hookFailed(err.Error())
	}
	if _, err := os.Stat(s.Hooks.Ran); len(names) == 0 || s.hooked || err == nil {
		return nil
	}
	// Before the first: one that brings the agent down does not do so over and over.
	s.hooked = true
	if err := os.WriteFile(s.Hooks.Ran, nil, 0o600); err != nil {
		s.Log.Warn("the hooks run again when the agent is started again", "error", err)
	}
	n := screen.NewNotice("Signed in", "Running the hooks of this boot image", screen.Calm)
	s.Display.Show(n)
	for _, name := range names {
		s.Display.Update(func() { n.Next = name })
		s.Log.Info("hook after the sign-in", "hook", name)
		if err := s.runHook(ctx, name); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			text := fmt.Sprintf("The hook after-sign-in\\%s failed: %s", name, err)
			s.hookFailed(text)
			s.Display.Update(func() { n.List = append(n.List, text) })
		}
	}
	return nil
}

func (s *Session) runHook(ctx context.Context, name string) error {
	limit := cmp.Or(s.Hooks.Limit, hookLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was ended because it took longer than %s", limit))
	defer cancel()
	c := s.Hooks.command(name)
	c.Stdout = func(line string) { s.Log.Info("hook", "hook", name, "says", line) }
	c.Stderr = c.Stdout
	code, err := s.Machine.Exec.Run(ctx, c)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	return err
}

// hookFailed names a failure in the log, on every page from now on, and among the
// output of the deployment.
func (s *Session) hookFailed(text string) {
	s.Log.Error(text)
	s.hookFailures = append(s.hookFailures, text)
	s.showWarnings()
}

// showWarnings sets what stands on every page.
func (s *Session) showWarnings() {
	text := s.warning
	if len(s.hookFailures) > 0 {
		text = strings.TrimSpace(text + " " + s.hookFailures[0])
		if more := len(s.hookFailures) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
	}
	s.Display.SetFacts(func(f *screen.Facts) { f.Warning = text })
}
