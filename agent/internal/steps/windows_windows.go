package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// target is the Windows that a step in WinPE changes: the one on the target disk.
type target struct {
	step   *Step
	root   string // of its drive, e.g. `W:\`
	layout disk.Layout
}

// openTarget finds the target's drive.
func openTarget(ctx context.Context, s *Step) (*target, error) {
	layout, err := disk.ParseLayout(s.Vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		return nil, err
	}
	if s.Machine.Disks == nil {
		return nil, errNoDisks
	}
	root, err := s.Machine.Disks.Mount(ctx, layout)
	if err != nil {
		return nil, fmt.Errorf("the target disk: %w", err)
	}
	return &target{step: s, root: root, layout: layout}, nil
}

// openWindows is openTarget when Windows is there already.
func openWindows(ctx context.Context, s *Step) (*target, error) {
	y, err := openTarget(ctx, s)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(y.path(`Windows\System32`)); err != nil {
		return nil, errors.New("there is no Windows on the target disk yet: an Apply operating system step has to come before this step")
	}
	return y, nil
}

func (y *target) path(name string) string { return y.root + name }

// workFolder is where files lie on the target's drive while they are used.
const workFolder = "slipway"

// runningFolder takes its place in a Windows that runs: every user may change what lies in
// a folder that is made on the drive, and programs that a step runs from there are SYSTEM's.
const runningFolder = windowstarget.Folder + "/tmp/work"

// work makes an empty folder for a step's files. remove removes it.
func (y *target) work(name string) (folder string, remove func(), err error) {
	above, running := filepath.Join(y.root, workFolder), inInstalledWindows(y.step)
	if running {
		above = filepath.Join(y.root, filepath.FromSlash(runningFolder))
	}
	folder = filepath.Join(above, name)
	remove = func() {
		if err := os.RemoveAll(folder); err != nil {
			y.step.Log("warn", fmt.Sprintf("%s was not removed: %v", folder, err))
		}
		_ = os.Remove(above) // only when nothing else is in it
	}
	remove() // of an interrupted try
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a folder on the target disk: %w", err)
	}
	if running {
		if err := protect(above); err != nil { // before anything lies there
			return "", nil, err
		}
	}
	return folder, remove, nil
}

// toolPercent finds the progress in the lines of DISM: "[====   42.0%   ]".
var toolPercent = regexp.MustCompile(`(\d{1,3})(?:[.,]\d+)?%`)

// tool runs one of Windows' tools. Its output goes to the log, its percentages to the
// screen; a code other than those accepted is an error.
func (y *target) tool(ctx context.Context, text string, args ...string) error {
	return runTool(ctx, y.step, text, []int{0}, args...)
}

func runTool(ctx context.Context, s *Step, text string, accepted []int, args ...string) error {
	last := ""
	code, err := s.Machine.Exec.Run(ctx, Command{Args: args,
		Stdout: func(line string) {
			if m := toolPercent.FindStringSubmatch(line); m != nil {
				percent, _ := strconv.Atoi(m[1])
				s.Progress(min(percent, 100), text)
				return
			}
			if line = strings.TrimSpace(line); line != "" {
				last = line
				s.Log("info", line)
			}
		},
		Stderr: func(line string) { last = line; s.Log("warn", line) }})
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for _, ok := range accepted {
		if code == ok {
			return nil
		}
	}
	return fmt.Errorf("%s ended with exit code %d (%#x): %s", args[0], code, uint32(code), last)
}

// fetchFile puts one file of a version into a folder, checked piece by piece.
func (y *target) fetchFile(ctx context.Context, ref tasksequence.Reference, path string, size int64, to string) error {
	in, err := y.step.Machine.Content.Open(ctx, ref, path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("keep %s on the target disk: %w", path, err)
	}
	m := newMeter(in, size, "fetching "+path, y.step)
	buf := make([]byte, 1<<20)
	for {
		n, err := m.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return errors.Join(fmt.Errorf("keep %s on the target disk: %w", path, err), out.Close())
			}
			m.tell()
		}
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("fetch %s: %w", path, err), out.Close())
		}
	}
}

// fetchFolder puts all files of a version into a folder on the target's drive.
func (y *target) fetchFolder(ctx context.Context, ref tasksequence.Reference, name string) (folder string, remove func(), err error) {
	folder, remove, err = y.work(ref.ID)
	if err != nil {
		return "", nil, err
	}
	if err := y.step.fetchInto(ctx, ref, name, folder); err != nil {
		remove()
		return "", nil, err
	}
	return folder, remove, nil
}

// answerFile is where Windows Setup looks for the answer file of a system that was
// applied: %WINDIR%\Panther\Unattend comes before %WINDIR%\Panther ("Windows Setup
// Automation Overview", implicit answer file search order).
const answerFile = `Windows\Panther\unattend.xml`

// protect is a variable for the tests: Wine keeps no such rights.
var protect = windowstarget.Protect

// answers merges settings into the target's answer file, or begins one; given is one
// that replaces what is there. Secrets are masked in the log.
func (y *target) answers(settings unattend.Settings, given string) error {
	name := y.path(answerFile)
	file := unattend.New()
	text, err := os.ReadFile(name)
	switch {
	case given != "":
		if file, err = unattend.Parse([]byte(given)); err != nil {
			return fmt.Errorf("the option Unattend: %w", err)
		}
	case err == nil:
		if file, err = unattend.Parse(text); err != nil {
			return fmt.Errorf("the answer file of the target: %w", err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("read the answer file of the target: %w", err)
	}
	changes, err := file.Merge(settings)
	if err != nil {
		return fmt.Errorf("write the answer file: %w", err)
	}
	for _, c := range changes {
		y.step.Log("info", "answer file: "+c.String())
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write the answer file: %w", err)
	}
	part := name + ".part"
	if err := os.WriteFile(part, file.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the answer file: %w", err)
	}
	if err := protect(part); err != nil { // passwords may be in it
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return fmt.Errorf("write the answer file: %w", errors.Join(err, os.Remove(part)))
	}
	return nil
}
