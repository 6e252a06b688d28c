package steps

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/tasksequence"
)

// scripted returns a step of an own definition with these options.
func scripted(t *testing.T, definition string, settings string, vars *tasksequence.Variables) (*Step, *[]string) {
	t.Helper()
	d, err := tasksequence.ParseDefinition([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	if problems := d.CheckOwn(); len(problems) > 0 {
		t.Fatal(problems)
	}
	d.Version = 1
	sequence, err := tasksequence.ParseSequence([]byte(`{"name":"x","steps":[{"id":"s","name":"S","definition":"` + d.ID + `","definitionVersion":1,"settings":` + settings + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	doc := &tasksequence.Document{Format: 1, Sequence: sequence, Definitions: map[string]tasksequence.Definition{d.Key(): d}}
	run, err := tasksequence.NewRun(doc, vars, nil)
	if err != nil {
		t.Fatal(err)
	}
	folders := t.TempDir()
	run.ContentFolders(func(_ tasksequence.Position, option string) string { return filepath.Join(folders, option) })
	e, ok := run.Next().(tasksequence.Execute)
	if !ok {
		t.Fatalf("not to be executed: %+v", run.Next())
	}
	for _, c := range e.Content {
		if err := os.MkdirAll(c.Folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	s := &Step{Settings: e.Settings, Vars: vars.Scope(e.Private()), Succeeded: e.Succeeded, Script: d.Script,
		Machine: Machine{Exec: LinuxExec{}, Files: LinuxFiles{Dir: t.TempDir()}},
		Log:     func(level, text string) { lines = append(lines, level+" "+text) }, Progress: func(int, string) {}}
	for _, o := range d.Options {
		s.Options = append(s.Options, o.Name)
	}
	return s, &lines
}

const printer = `{"id":"add-printer","name":"Add printer","options":[
	{"name":"Queue-Name","type":"text","required":true},{"name":"Colour","type":"boolean","default":true},
	{"name":"Sizes","type":"value","default":["A4","A3"]},{"name":"Files","type":"content"},{"name":"SuccessCodes","type":"integers","default":[0,7]}],
	"script":{"interpreter":"/bin/sh -eu","text":`

func TestAScriptSeesItsOptionsAndSetsVariables(t *testing.T) {
	vars := tasksequence.NewVariables()
	if err := vars.Set("Site", tasksequence.Value{Text: "Bern"}); err != nil {
		t.Fatal(err)
	}
	s, lines := scripted(t, printer+`"echo \"$SLIPWAY_OPT_QUEUE_NAME $SLIPWAY_OPT_COLOUR $SLIPWAY_SITE\"\necho \"$SLIPWAY_OPT_SIZES\"\nls -d \"$SLIPWAY_OPT_FILES\" >/dev/null\necho Added=yes >> \"$SLIPWAY_VARIABLES\"\necho oops >&2\nexit 7"}}`,
		`{"Queue-Name":"hall-%Site%","Files":"drivers"}`, vars)
	out, err := script(t.Context(), s)
	if err != nil || out.ExitCode != 7 || vars.Text("Added") != "yes" {
		t.Errorf("got %+v, %v; log %q", out, err, *lines)
	}
	slices.Sort(*lines)
	if !slices.Equal(*lines, []string{"info A3", "info A4", "info hall-Bern true Bern", "warn oops"}) {
		t.Errorf("log %q", *lines)
	}
	if left, _ := os.ReadDir(s.Machine.Files.(LinuxFiles).Dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAScriptFailsWithItsExitCode(t *testing.T) {
	s, _ := scripted(t, printer+`"echo $SLIPWAY_OPT_MISSING"}}`, `{"Queue-Name":"x"}`, tasksequence.NewVariables()) // -u: not set is an error
	if out, err := script(t.Context(), s); err == nil || out.ExitCode == 0 || !strings.Contains(err.Error(), "exit code") {
		t.Errorf("got %+v, %v", out, err)
	}
	s, _ = scripted(t, printer+`"true"}}`, `{"Queue-Name":"x"}`, tasksequence.NewVariables())
	s.Settings = tasksequence.Settings{}
	s.Script = nil
	if _, err := script(t.Context(), s); err == nil {
		t.Error("a step without a script ran")
	}
}

func TestAScriptFromContentRunsInItsFolder(t *testing.T) {
	s, lines := scripted(t, `{"id":"own","name":"Own","script":{"content":"tool:3","file":"bin/run.sh"}}`, `{}`, tasksequence.NewVariables())
	folder := s.Vars.Text("_CONTENT-Script")
	if err := os.MkdirAll(filepath.Join(folder, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bin/run.sh"), []byte("pwd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := script(t.Context(), s); err != nil || !slices.Equal(*lines, []string{"info " + folder}) {
		t.Errorf("log %q, %v", *lines, err)
	}
	s.Vars = tasksequence.NewVariables()
	if _, err := script(t.Context(), s); err == nil || !strings.Contains(err.Error(), "not here") {
		t.Errorf("without its content: %v", err)
	}
}

func TestWhatAnEnvironmentCannotCarryIsAnError(t *testing.T) {
	vars := tasksequence.NewVariables()
	for i := range 3 {
		if err := vars.Set("Big"+string(rune('0'+i)), tasksequence.Value{Text: strings.Repeat("x", 60<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := scripted(t, printer+`"true"}}`, `{"Queue-Name":"%Big0%%Big1%%Big2%"}`, vars)
	if _, err := script(t.Context(), s); err == nil || !strings.Contains(err.Error(), "Queue-Name: the value is 184320 bytes long") {
		t.Errorf("got %v", err)
	}
}
