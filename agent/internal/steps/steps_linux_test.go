package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/tasksequence"
)

// TestExecutorsMatchDefinitions: every built-in definition has its executor on each
// system that its environments name, under its own name, and none stands without one.
func TestExecutorsMatchDefinitions(t *testing.T) {
	linux := map[string]bool{}
	for name := range Executors() {
		linux[name] = true
	}
	for _, system := range []struct {
		name         string
		executors    map[string]bool
		environments []string
	}{
		{tasksequence.Linux, linux, []string{tasksequence.LinuxPE, tasksequence.FullOS}},
		{tasksequence.Windows, windowsExecutors(t), []string{tasksequence.WinPE, tasksequence.FullOS}},
	} {
		wanted := map[string]bool{tasksequence.ExecutorScript: true} // of own definitions
		catalogue := tasksequence.BuiltinCatalogue()
		for _, id := range catalogue.IDs() {
			d, _ := catalogue.Find(id, 0)
			runs := slices.ContainsFunc(system.environments, func(e string) bool { return d.RunsIn(e, system.name) })
			if d.Executor == tasksequence.ExecutorNone || !runs {
				continue
			}
			wanted[d.Executor] = true
			if !system.executors[d.Executor] {
				t.Errorf("%s: no executor for %s", system.name, d.ID)
			}
			file := strings.ReplaceAll(d.ID, "-", "_")
			_, own := os.Stat(file + "_" + system.name + ".go")
			_, common := os.Stat(file + ".go")
			if own != nil && common != nil {
				t.Errorf("%s: the executor of %s does not stand under its name: %v", system.name, d.ID, own)
			}
		}
		for name := range system.executors {
			if !wanted[name] {
				t.Errorf("%s: executor %s belongs to no definition", system.name, name)
			}
		}
	}
}

// windowsExecutors reads the names of the executors of Windows off their source.
func windowsExecutors(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("executors_windows.go")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{"ExecutorScript": tasksequence.ExecutorScript}
	for _, d := range tasksequence.Builtin() {
		var constant strings.Builder
		for word := range strings.SplitSeq(d.ID, "-") {
			constant.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		ids[strings.NewReplacer("Powershell", "PowerShell", "Branchcache", "BranchCache", "Chromeos", "ChromeOS", "Igel", "IGEL").Replace(constant.String())] = d.ID
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\ttasksequence\.(\w+):`).FindAllStringSubmatch(string(text), -1) {
		id, ok := ids[m[1]]
		if !ok {
			t.Errorf("%s is no definition", m[1])
		}
		found[id] = true
	}
	if len(found) < 5 {
		t.Errorf("only %d executors were found; is the source still read right?", len(found))
	}
	return found
}

// step resolves settings through the interpreter and returns the step with its log.
func step(t *testing.T, definition string, settings map[string]any, vars *tasksequence.Variables) (*Step, *[]string) {
	t.Helper()
	raw := map[string]json.RawMessage{}
	for name, v := range settings {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		raw[name] = text
	}
	doc := &tasksequence.Document{Format: tasksequence.Format, Sequence: tasksequence.Sequence{Steps: []tasksequence.Node{
		{ID: "s", Name: "S", Definition: definition, DefinitionVersion: 1, Settings: raw}}}}
	run, err := tasksequence.NewRun(doc, vars, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := run.Next().(tasksequence.Execute)
	if !ok {
		t.Fatalf("not to be executed: %+v", run.Next())
	}
	var lines []string
	var progress []string
	s := &Step{Settings: e.Settings, Vars: vars.Scope(e.Settings.Private()), Succeeded: e.Succeeded,
		Machine:  Machine{Exec: LinuxExec{}, Files: LinuxFiles{Dir: t.TempDir()}},
		Log:      func(level, text string) { lines = append(lines, level+" "+text) },
		Progress: func(p int, text string) { progress = append(progress, fmt.Sprint(p, text)) }}
	return s, &lines
}

func command(t *testing.T, vars *tasksequence.Variables, settings map[string]any) (Outcome, []string, error) {
	t.Helper()
	s, lines := step(t, tasksequence.RunCommandLine, settings, vars)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := runCommandLine(ctx, s)
	return out, *lines, err
}

func TestCommandOutputAndVariables(t *testing.T) {
	vars := tasksequence.NewVariables()
	for name, v := range map[string]tasksequence.Value{"Computer-Name": {Text: "pc1"}, "Apps": {List: []string{"a", "b"}}} {
		if err := vars.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	_, lines, err := command(t, vars, map[string]any{"OutputVariable": "Out", "WorkingFolder": dir,
		"Command": `pwd; echo "$SLIPWAY_COMPUTER_NAME/%Computer-Name%"; echo "$SLIPWAY_APPS" | wc -l; echo oops >&2
echo "Result=done and dusted" >> "$SLIPWAY_VARIABLES"; echo "# comment" >> "$SLIPWAY_VARIABLES"`})
	if err != nil {
		t.Fatal(err)
	}
	if got := vars.Text("Out"); got != dir+"\npc1/pc1\n2" {
		t.Errorf("output %q", got)
	}
	if got := vars.Text("Result"); got != "done and dusted" {
		t.Errorf("variable %q", got)
	}
	if !slices.Contains(lines, "warn oops") || !slices.Contains(lines, "info pc1/pc1") {
		t.Errorf("log %q", lines)
	}
}

func TestCommandFailures(t *testing.T) {
	tests := []struct {
		name, command, want string
		settings            map[string]any
		code                int
	}{
		{"exit code", "exit 3", "exit code 3", nil, 3},
		{"accepted exit code", "exit 3", "", map[string]any{"SuccessCodes": []int{0, 3}}, 3},
		{"signal", "kill -TERM $$", "signal", nil, 0},
		{"folder missing", "true", "could not be started", map[string]any{"WorkingFolder": "/no/such/folder"}, 0},
		{"read-only variable", `echo _Secret=1 >> "$SLIPWAY_VARIABLES"`, "cannot be set", nil, 0},
		{"line without =", `echo nonsense >> "$SLIPWAY_VARIABLES"`, `without "="`, nil, 0},
		{"too much output", "head -c 70000 /dev/zero | tr '\\0' 'x'", "longer than", map[string]any{"OutputVariable": "Out"}, 0},
		{"the variables file is gone", `rm "$SLIPWAY_VARIABLES"`, "read the variables", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings := map[string]any{"Command": tt.command}
			for k, v := range tt.settings {
				settings[k] = v
			}
			out, _, err := command(t, tasksequence.NewVariables(), settings)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.code != 0 && out.ExitCode != tt.code {
				t.Errorf("exit code %d", out.ExitCode)
			}
		})
	}
}

func TestVariablesSetByAFailingCommandAreKept(t *testing.T) {
	vars := tasksequence.NewVariables()
	_, _, err := command(t, vars, map[string]any{"Command": `echo Why=disk >> "$SLIPWAY_VARIABLES"; exit 1`})
	if err == nil || vars.Text("Why") != "disk" {
		t.Errorf("got %v, %q", err, vars.Text("Why"))
	}
}

func TestSecretOutputIsNotLogged(t *testing.T) {
	vars := tasksequence.NewVariables()
	_, lines, err := command(t, vars, map[string]any{"Command": "echo hunter2", "OutputVariable": "Pw", "OutputSecret": true})
	v, _ := vars.Get("Pw")
	if err != nil || len(lines) != 0 || v.Text != "hunter2" || !v.Secret {
		t.Errorf("lines %q, value %+v, %v", lines, v, err)
	}
}

func TestCommandsAreKilledWithAllTheyStarted(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "alive")
	s, _ := step(t, tasksequence.RunCommandLine, map[string]any{"Command": "(while :; do date > " + mark + "; sleep 0.05; done) & wait"}, tasksequence.NewVariables())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan time.Time, 1)
	go func() { // lets it run first
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(mark); err == nil {
				break
			}
		}
		ended <- time.Now()
		cancel(errors.New("took too long"))
	}()
	if _, err := runCommandLine(ctx, s); err == nil || err.Error() != "took too long" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(<-ended); took > killWait+time.Minute {
		t.Errorf("took %v", took)
	}
	before, err := os.Stat(mark)
	if err != nil {
		t.Fatal("the command never ran")
	}
	for try := 0; ; try++ { // what was killed in the middle of a write may end it
		time.Sleep(300 * time.Millisecond) // a loop that lived on would write six times
		after, err := os.Stat(mark)
		if err == nil && after.ModTime().Equal(before.ModTime()) {
			return
		}
		if before = after; err != nil || try == 3 {
			t.Fatalf("a background process lives on: %v", err)
		}
	}
}

func TestLinesAreCutAndCleaned(t *testing.T) {
	var lines []string
	w := &lineWriter{lock: &sync.Mutex{}, emit: func(l string) { lines = append(lines, l) }}
	for _, chunk := range []string{"a", "b\r\n10%\r20%\r", "\x1b[31mred\x00\n", "\xff\n", strings.Repeat("x", maxLine+5), "\n", "rest"} {
		if _, err := w.Write([]byte(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	want := []string{"ab", "10%", "20%", " [31mred ", "?", strings.Repeat("x", maxLine), "xxxxx", "rest"}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
}

func TestSetVariable(t *testing.T) {
	vars := tasksequence.NewVariables()
	s, lines := step(t, tasksequence.SetVariable, map[string]any{"VariableName": "Token", "VariableValue": "abc", "Secret": true}, vars)
	if _, err := setVariable(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if v, _ := vars.Get("Token"); v.Text != "abc" || !v.Secret || (*lines)[0] != "info Token = ***" {
		t.Errorf("got %+v, %q", v, *lines)
	}
}

func TestRebootOnlyAsks(t *testing.T) {
	s, _ := step(t, tasksequence.Reboot, map[string]any{"RebootRequested": "disk", "RebootMessage": "bye", "RebootDelay": 7}, tasksequence.NewVariables())
	out, err := reboot(t.Context(), s)
	if err != nil || *out.Restart != (Restart{Target: "disk", Message: "bye", Delay: 7 * time.Second}) {
		t.Errorf("got %+v, %v", out, err)
	}
}

// staging is a Windows PE that can be put onto the disk.
type staging struct {
	calls int
	err   error
}

func (s *staging) Available(context.Context) (string, map[string]string, error) {
	return "the-image", nil, s.err
}
func (s *staging) Stage(context.Context, func(int, string), func(string, string)) (string, error) {
	s.calls++
	return "the-image", s.err
}

func TestRebootPutsWindowsPEOntoTheDiskOfAnInstalledWindows(t *testing.T) {
	for name, c := range map[string]struct {
		environment, system, target, from, layout, before string
		staged                                            bool
	}{
		"an existing Windows":       {tasksequence.FullOS, tasksequence.Windows, "image", "automatic", "", "", true},
		"from the disk":             {tasksequence.FullOS, tasksequence.Windows, "image", "disk", "a layout", "", true},
		"once more":                 {tasksequence.FullOS, tasksequence.Windows, "image", "automatic", "a layout", "True", true},
		"began in a boot image":     {tasksequence.FullOS, tasksequence.Windows, "image", "automatic", "a layout", "", false},
		"from the network":          {tasksequence.FullOS, tasksequence.Windows, "image", "network", "", "", false},
		"to the disk":               {tasksequence.FullOS, tasksequence.Windows, "disk", "disk", "", "", false},
		"Linux":                     {tasksequence.FullOS, tasksequence.Linux, "image", "disk", "", "", false},
		"from Windows PE to itself": {tasksequence.WinPE, tasksequence.Windows, "image", "disk", "", "", false},
	} {
		vars := tasksequence.NewVariables()
		for n, text := range map[string]string{tasksequence.VariableEnvironment: c.environment, tasksequence.VariableSystem: c.system, tasksequence.VariableTargetLayout: c.layout, stagedVariable: c.before} {
			if err := vars.SetSystem(n, tasksequence.Value{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		s, _ := step(t, tasksequence.Reboot, map[string]any{"RebootRequested": c.target, "BootImageFrom": c.from}, vars)
		pe := &staging{}
		s.Machine.WinPE = pe
		out, err := reboot(t.Context(), s)
		if err != nil || pe.calls == 1 != c.staged || (out.Restart.Staged == "the-image") != c.staged || out.Restart.Target != c.target {
			t.Errorf("%s: %d calls, %+v, %v", name, pe.calls, out.Restart, err)
		}
		if c.staged != (vars.Text(stagedVariable) != "") && c.before == "" {
			t.Errorf("%s: it is not noted how the deployment gets there", name)
		}
		if pe.err = errors.New("no room"); c.staged {
			if out, err = reboot(t.Context(), s); err == nil || out.Restart != nil || !strings.Contains(err.Error(), "no room") {
				t.Errorf("%s: with an error it restarts: %+v, %v", name, out, err)
			}
		}
	}
}
