package steps

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/tasksequence"
)

// recorder is an Exec that runs nothing: it notes what was to be run, and answers
// what the test says. An unexpected program is a failure.
type recorder struct {
	t      *testing.T
	known  []string
	ran    []string
	stdin  string
	output map[string][]string // of a program, one line for each call, then the last one again
	codes  map[string]int      // of a program, or of a whole line
}

func (r *recorder) Run(_ context.Context, c Command) (int, error) {
	r.t.Helper()
	args := c.Args
	if c.Root != "" && args[0] == "/usr/bin/env" {
		args = args[1:]
	}
	line := strings.Join(args, " ")
	if c.Root != "" {
		line = "in " + filepath.Base(c.Root) + ": " + line
	}
	r.ran = append(r.ran, line)
	r.stdin += c.Stdin
	for _, name := range r.known {
		if args[0] == name {
			for key, lines := range r.output {
				if strings.Contains(line, key) && len(lines) > 0 {
					c.Stdout(lines[0])
					if len(lines) > 1 {
						r.output[key] = lines[1:]
					}
				}
			}
			if code, ok := r.codes[strings.Join(args, " ")]; ok {
				return code, nil
			}
			return r.codes[args[0]], nil
		}
	}
	r.t.Errorf("an unexpected program: %s", line)
	return 127, nil
}

// bench is a step on an installed system that lies in a folder.
type bench struct {
	t     *testing.T
	root  string
	exec  *recorder
	vars  *tasksequence.Variables
	items *items
	lines *[]string

	disks  disk.Disks
	placed string // root that the agent was put into
}

func newBench(t *testing.T, programs ...string) *bench {
	t.Helper()
	b := &bench{t: t, root: t.TempDir(), exec: &recorder{t: t, known: programs, output: map[string][]string{}, codes: map[string]int{}},
		vars: tasksequence.NewVariables(), items: &items{}}
	b.set(tasksequence.VariableEnvironment, tasksequence.FullOS)
	for name, text := range map[string]string{"etc/debian_version": "12\n", "etc/passwd": "root:x:0:0::/root:/bin/bash\n", "etc/group": "sudo:x:27:\n",
		"etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\told\n", "usr/share/zoneinfo/Europe/Berlin": "TZif", "etc/locale.gen": "# de_DE.UTF-8 UTF-8\n# en_GB.UTF-8 UTF-8\n"} {
		b.put(name, text)
	}
	for _, p := range programs {
		b.put("usr/bin/"+p, "")
	}
	return b
}

func (b *bench) put(name, text string) {
	b.t.Helper()
	full := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) file(name string) string {
	text, err := os.ReadFile(filepath.Join(b.root, name))
	if err != nil {
		return "missing: " + err.Error()
	}
	return string(text)
}

func (b *bench) set(name, text string) {
	b.t.Helper()
	if err := b.vars.SetSystem(name, tasksequence.Value{Text: text}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) run(definition string, settings map[string]any) (Outcome, error) {
	b.t.Helper()
	s, lines := step(b.t, definition, settings, b.vars)
	s.Machine.Root, s.Machine.Exec, s.Machine.Content, s.Machine.Agent = b.root, b.exec, b.items, agent{b}
	s.Machine.Disks = b.disks
	b.lines = lines
	define, _ := tasksequence.BuiltinCatalogue().Find(definition, 0)
	for name := range settings {
		option, _ := define.Option(name)
		if ref, ok := s.Settings.Content(name); ok && option.Type == tasksequence.TypeContent && !option.Stream {
			dir := b.t.TempDir()
			if err := b.items.Folder(b.t.Context(), ref, dir, func(int64, int64) {}); err != nil {
				b.t.Fatal(err)
			}
			if err := s.Vars.Run().SetSystem(tasksequence.ContentVariable(name), tasksequence.Value{Text: dir}); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return Executors()[definition](b.t.Context(), s)
}

// want compares and names what differs.
func (b *bench) want(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func (b *bench) fails(err error, part string) {
	b.t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		b.t.Errorf("got %v, want an error with %q", err, part)
	}
}

// agent is a steps.Agent.
type agent struct{ b *bench }

func (a agent) Place(_ context.Context, root, _ string) error {
	a.b.placed = root
	return nil
}

func (a agent) PlaceOn(context.Context, string, OpenVolume) error { return errNoDisks }

func (agent) Authorities() []string { return []string{"PEM 1\n", "PEM 2\n"} }
