package steps

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "unsafe" // for go:linkname

	"slipway/agent/internal/disk"
	"slipway/agent/winetest"
	fakes "slipway/agent/winetest/script"
	"slipway/tasksequence"
)

// Wine 8 knows the older way to remove files only: without this os.RemoveAll fails.
//
//go:linkname removeTheOldWay internal/syscall/windows.TestDeleteatFallback
var removeTheOldWay bool

func init() { removeTheOldWay = true }

// winBench is a step in an installed Windows whose drive is a folder.
type winBench struct {
	t         *testing.T
	root      string // ends with a backslash
	key       string
	vars      *tasksequence.Variables
	items     *items
	lines     []string
	fakes     *winetest.Fakes
	autopilot Autopilot
	disks     disk.Disks
	join      DomainJoin
	cloud     Cloud
}

func newWinBench(t *testing.T) *winBench {
	t.Helper()
	b := &winBench{t: t, root: t.TempDir() + `\`, key: "d s", vars: tasksequence.NewVariables(), items: &items{}, fakes: winetest.FakesHere(t)}
	b.set(tasksequence.VariableEnvironment, tasksequence.FullOS)
	b.set("Architecture", "x64")
	b.put(`Windows\System32\ntdll.dll`, "")
	return b
}

func (b *winBench) set(name, text string) {
	b.t.Helper()
	if err := b.vars.SetSystem(name, tasksequence.Value{Text: text}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *winBench) put(name, text string) {
	b.t.Helper()
	full := b.root + name
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a step, with exactly these calls of Windows' tools.
func (b *winBench) run(definition string, settings map[string]any, calls ...fakes.Call) (Outcome, error) {
	b.t.Helper()
	raw := map[string]json.RawMessage{}
	for name, v := range settings {
		text, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		raw[name] = text
	}
	doc := &tasksequence.Document{Format: tasksequence.Format, Sequence: tasksequence.Sequence{Steps: []tasksequence.Node{
		{ID: "s", Name: "S", Definition: definition, DefinitionVersion: 1, Settings: raw}}}}
	run, err := tasksequence.NewRun(doc, b.vars, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	e, ok := run.Next().(tasksequence.Execute)
	if !ok {
		b.t.Fatalf("not to be executed: %+v", run.Next())
	}
	dir := b.t.TempDir()
	for _, o := range e.Definition.Options {
		ref, ok := e.Settings.Content(o.Name)
		if !ok || o.Type != tasksequence.TypeContent || o.Stream {
			continue
		}
		if err := b.items.Folder(b.t.Context(), ref, dir, nil); err != nil {
			b.t.Fatal(err)
		}
		b.set(tasksequence.ContentVariable(o.Name), dir)
	}
	scope := b.vars.Scope(e.Settings.Private())
	masker := tasksequence.NewMasker(scope.Secrets()) // as the runner does
	s := &Step{Settings: e.Settings, Vars: scope, Succeeded: e.Succeeded, Key: b.key,
		Machine:  Machine{Exec: WindowsExec{}, Files: LocalFiles{Dir: b.root + "tmp"}, Content: b.items, Root: b.root, Agent: winAgent{}, Autopilot: b.autopilot, Disks: b.disks, DomainJoin: b.join, Cloud: b.cloud},
		Log:      func(level, text string) { b.lines = append(b.lines, level+" "+masker.Mask(text)) },
		Progress: func(int, string) {}}
	b.lines = nil
	b.fakes.Expect(b.t, calls...)
	out, err := Executors()[definition](b.t.Context(), s)
	b.fakes.Done(b.t)
	if left, _ := os.ReadDir(b.root + "tmp"); len(left) > 0 {
		b.t.Errorf("temporary files are left: %v", left)
	}
	return out, err
}

// tool puts a fake where a step calls a tool by its path in the system.
func (b *winBench) tool(name string) {
	b.t.Helper()
	b.fakes.Place(b.t, strings.TrimSuffix(strings.ToLower(filepath.Base(name)), ".exe"), b.root+name)
}

func (b *winBench) works(definition string, settings map[string]any, calls ...fakes.Call) Outcome {
	b.t.Helper()
	out, err := b.run(definition, settings, calls...)
	if err != nil {
		b.t.Errorf("%v\n%s", err, strings.Join(b.lines, "\n"))
	}
	return out
}

// fails expects an error that says all these words.
func (b *winBench) fails(err error, words ...string) {
	b.t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			b.t.Errorf("got %v, want an error with %q", err, w)
		}
	}
}

// logged expects a line of the log.
func (b *winBench) logged(part string) {
	b.t.Helper()
	if all := strings.Join(b.lines, "\n"); !strings.Contains(all, part) {
		b.t.Errorf("the log does not say %q:\n%s", part, all)
	}
}

// call is one call of a tool, typed with blanks between the arguments.
func call(line string, args ...any) fakes.Call {
	words := strings.Fields(fmt.Sprintf(line, args...))
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "_", " ")
	}
	return fakes.Call{Program: words[0], Args: words[1:]}
}

func exits(c fakes.Call, code int, output string) fakes.Call {
	c.Exit, c.Output = code, output
	return c
}
