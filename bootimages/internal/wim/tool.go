package wim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	format "slipway/images/windows/wim"
)

// ErrNoTool: wimlib-imagex is missing.
var ErrNoTool = errors.New("wimlib-imagex was not found on the appliance's machine, and Windows images cannot be read without it: install the Debian package wimtools (apt-get install wimtools)")

// Tool is the wimlib-imagex of this machine.
type Tool struct {
	path    string
	Version string // "1.13.5"
}

var versionPattern = regexp.MustCompile(`wimlib-imagex ([0-9]+\.[0-9]+\.[0-9]+)`)

// FindTool finds it and asks its version.
func FindTool(ctx context.Context) (*Tool, error) {
	p, err := exec.LookPath("wimlib-imagex")
	if err != nil {
		return nil, ErrNoTool
	}
	out, err := exec.CommandContext(ctx, p, "--version").Output()
	m := versionPattern.FindSubmatch(out)
	if err != nil || m == nil {
		return nil, fmt.Errorf("%w (%s --version: %w)", ErrNoTool, p, err)
	}
	return &Tool{path: p, Version: string(m[1])}, nil
}

// List returns the paths in an image, such as "/Windows/System32".
func (t *Tool) List(ctx context.Context, file string, index int) ([]string, error) {
	var out bytes.Buffer
	if err := t.run(ctx, nil, &out, nil, "dir", file, strconv.Itoa(index)); err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n"), nil
}

// Copy writes a file of an image.
func (t *Tool) Copy(ctx context.Context, w io.Writer, file string, index int, path string) error {
	return t.run(ctx, nil, w, nil, "extract", file, strconv.Itoa(index), path, "--to-stdout", "--no-globs")
}

// Export writes one image into a new file that boots it, in the compression that
// boot managers read. The source is only read.
func (t *Tool) Export(ctx context.Context, file string, index int, to string, percent func(int)) error {
	return t.run(ctx, nil, nil, percent, "export", file, strconv.Itoa(index), to, "--boot", "--compress=LZX", "--chunk-size=32K")
}

// Overlay lays a folder over an image's root, whatever the case of names, and writes
// the file anew.
func (t *Tool) Overlay(ctx context.Context, file string, index int, folder string, percent func(int)) error {
	if strings.ContainsAny(folder, "'\n") {
		return fmt.Errorf("the folder %q has a character that wimlib-imagex does not take", folder)
	}
	return t.run(ctx, strings.NewReader("add '"+folder+"' '/' --no-acls\n"), nil, percent, "update", file, strconv.Itoa(index), "--rebuild")
}

// Verify reads all of a file and checks every hash.
func (t *Tool) Verify(ctx context.Context, file string, percent func(int)) error {
	return t.run(ctx, nil, nil, percent, "verify", file)
}

// run runs wimlib-imagex. The text of a failure is in the error, which wraps
// ErrDamaged where that is the cause.
func (t *Tool) run(ctx context.Context, in io.Reader, out io.Writer, percent func(int), args ...string) error {
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "WIMLIB_IMAGEX_IGNORE_CASE=1")
	var text tail
	cmd.Stdin, cmd.Stderr = in, &text
	if out != nil {
		cmd.Stdout = out
	} else {
		cmd.Stdout = &meter{percent: percent}
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil
	}
	what := text.lines(4)
	switch lower := strings.ToLower(what); {
	case strings.Contains(lower, "no space left"):
		return fmt.Errorf("wimlib-imagex %s: no space left on the disk: %s", args[0], what)
	case strings.Contains(lower, "is encrypted"):
		return fmt.Errorf("%w (%s)", ErrEncrypted, what)
	case strings.Contains(lower, "corrupt"), strings.Contains(lower, "invalid"), strings.Contains(lower, "hash"), strings.Contains(lower, "decompress"),
		strings.Contains(lower, "sha-1"), strings.Contains(lower, "sha1"), strings.Contains(lower, "checksum"):
		return fmt.Errorf("%w (wimlib-imagex %s: %s)", ErrDamaged, args[0], what)
	}
	return fmt.Errorf("wimlib-imagex %s: %w: %s", args[0], err, what)
}

// tail keeps the end of what a program writes.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if extra := len(t.b) - 4096; extra > 0 {
		t.b = t.b[extra:]
	}
	return len(p), nil
}

func (t *tail) lines(n int) string {
	var out []string
	for line := range strings.FieldsFuncSeq(string(t.b), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = format.Printable(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out[max(0, len(out)-n):], "; ")
}

// meter reads the percentages that wimlib-imagex writes.
type meter struct {
	percent func(int)
	rest    []byte
}

var percentPattern = regexp.MustCompile(`\(([0-9]{1,3})%\)`)

func (m *meter) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	if found := percentPattern.FindAllSubmatch(m.rest, -1); len(found) > 0 && m.percent != nil {
		if n, err := strconv.Atoi(string(found[len(found)-1][1])); err == nil {
			m.percent(n)
		}
	}
	m.rest = m.rest[max(0, len(m.rest)-64):]
	return len(p), nil
}
