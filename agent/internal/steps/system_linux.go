package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/tasksequence"
)

// system is the Linux system that a step changes: the one the agent runs in, or in a
// boot image the one on the target disk.
type system struct {
	root    string
	dir     *os.Root
	step    *Step
	running bool // the agent runs in it
}

// openSystem finds the system and mounts it if need be. close gives it up.
func openSystem(ctx context.Context, s *Step) (*system, error) {
	y := &system{step: s, root: "/", running: s.Vars.Text(tasksequence.VariableEnvironment) == tasksequence.FullOS}
	if y.running && s.Machine.Root != "" {
		y.root = s.Machine.Root
	}
	if !y.running {
		layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
		if err != nil {
			return nil, err
		}
		if forWindows(layout) {
			return nil, errWindowsTarget
		}
		if y.root, err = s.Machine.Disks.Mount(ctx, layout); err != nil {
			return nil, fmt.Errorf("mount the target disk: %w", err)
		}
	}
	var err error
	if y.dir, err = os.OpenRoot(y.root); err != nil {
		return nil, fmt.Errorf("open the system: %w", err)
	}
	if _, err := y.dir.Stat("etc"); err != nil {
		y.dir.Close()
		return nil, errors.New("there is no operating system on the target disk yet: an Apply operating system step has to come before this step")
	}
	return y, nil
}

// openRunning is the system that the agent runs in, a boot image too.
func openRunning(s *Step) (*system, error) {
	y := &system{step: s, root: cmp.Or(s.Machine.Root, "/"), running: true}
	var err error
	if y.dir, err = os.OpenRoot(y.root); err != nil {
		return nil, fmt.Errorf("open the system: %w", err)
	}
	return y, nil
}

func (y *system) close() { y.dir.Close() }

// has reports whether the system has a program.
func (y *system) has(program string) bool {
	for _, dir := range []string{"usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin"} {
		if info, err := y.dir.Stat(dir + "/" + program); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// exists reports whether a file or folder is there.
func (y *system) exists(name string) bool {
	_, err := y.dir.Stat(strings.TrimPrefix(name, "/"))
	return err == nil
}

// read reads a file; a missing one is empty.
func (y *system) read(name string) (string, error) {
	text, err := y.dir.ReadFile(strings.TrimPrefix(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(text), nil
}

// write writes a file whole or not at all; links out of the system are not followed.
func (y *system) write(name, text string, mode fs.FileMode) error {
	rel := strings.TrimPrefix(name, "/")
	if err := y.dir.MkdirAll(path.Dir(rel), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	part := path.Join(path.Dir(rel), ".slipway-"+path.Base(rel))
	if err := y.dir.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := y.dir.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = y.dir.Rename(part, rel)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, y.dir.Remove(part)))
	}
	return nil
}

// edit changes a file's lines: change gets each line and says what becomes of it;
// more is put behind the last line when nothing of it was there.
func (y *system) edit(name string, mode fs.FileMode, change func(line string) (becomes string, ours bool), more string) error {
	text, err := y.read(name)
	if err != nil {
		return err
	}
	var out strings.Builder
	found := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		becomes, ours := change(line)
		found = found || ours
		out.WriteString(becomes + "\n")
	}
	if !found {
		out.WriteString(more + "\n")
	}
	return y.write(name, out.String(), mode)
}

// run runs a program of the system, in it. Its output goes to the log; a code other
// than 0 is an error.
func (y *system) run(ctx context.Context, args ...string) error {
	return y.feed(ctx, "", args...)
}

// feed runs a program that reads stdin, which may be secret: it stands in no list of
// processes and no log.
func (y *system) feed(ctx context.Context, stdin string, args ...string) error {
	code, err := y.command(ctx, Command{Args: args, Stdin: stdin})
	if err == nil && code != 0 {
		err = fmt.Errorf("it ended with exit code %d", code)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

// command runs a program of the system and returns its exit code.
func (y *system) command(ctx context.Context, c Command) (int, error) {
	if !y.running {
		c.Root = y.root
		c.Args = append([]string{"/usr/bin/env"}, c.Args...) // finds the program in there
	}
	c.Env = append([]string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}, c.Env...)
	log := func(level string, also func(string)) func(string) {
		return func(line string) {
			if also != nil {
				also(line)
			}
			y.step.Log(level, line)
		}
	}
	c.Stdout, c.Stderr = log("info", c.Stdout), log("warn", c.Stderr)
	return y.step.Machine.Exec.Run(ctx, c)
}

// setting is a step's option, or the variable of the same name where that is empty.
func setting(s *Step, name string) string {
	if text := strings.TrimSpace(s.Settings.Text(name)); text != "" {
		return text
	}
	return strings.TrimSpace(s.Vars.Run().Text(name)) // the step's own value would hide it
}
