package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// parse reads a sequence or ends the test.
func parse(t testing.TB, text string) Sequence {
	t.Helper()
	s, err := ParseSequence([]byte(text))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return s
}

// pinned returns the document of a sequence, its children found among others.
func pinned(t testing.TB, s Sequence, others ...Sequence) *Document {
	t.Helper()
	doc, err := Pin(s, sources(among(others...)))
	if err != nil {
		t.Fatalf("pin: %v", err)
	}
	return doc
}

// sources finds sequences by a lookup, and the content that contentShelf has.
func sources(lookup Lookup) Sources {
	return Sources{Catalogue: BuiltinCatalogue(), Sequences: lookup, Content: contentShelf}
}

func among(others ...Sequence) Lookup {
	return func(r Reference) (Sequence, error) {
		for _, s := range others {
			if s.ID == r.ID && (r.Version == 0 || r.Version == s.Version) {
				return s, nil
			}
		}
		return Sequence{}, fmt.Errorf("%s: %w", r, ErrNoSequence)
	}
}

func newRun(t testing.TB, doc *Document, vars *Variables, results ...Result) *Run {
	t.Helper()
	r, err := NewRun(doc, vars, results)
	if err != nil {
		t.Fatalf("new run: %v", err)
	}
	return r
}

// drive runs to the end and returns one line per action. Steps whose name begins
// with "fail" fail; Set variable steps are carried out.
func drive(t testing.TB, r *Run, vars *Variables) []string {
	t.Helper()
	var trace []string
	for range 2 * MaxNodes {
		action := r.Next()
		line, result := act(t, action, vars)
		trace = append(trace, line)
		if _, done := action.(Done); done {
			return trace
		}
		if err := r.Record(result); err != nil {
			t.Fatalf("record: %v", err)
		}
	}
	t.Fatal("the run does not end")
	return nil
}

func act(t testing.TB, action Action, vars *Variables) (string, Result) {
	t.Helper()
	switch a := action.(type) {
	case Execute:
		result := Result{Path: a.Path, Status: Succeeded}
		if strings.HasPrefix(a.Name, "fail") {
			result = Result{Path: a.Path, Status: Failed, ExitCode: 1, Message: a.Name + " said no"}
		} else if a.Definition.ID == SetVariable {
			if err := ApplySetVariable(a.Settings, vars); err != nil {
				result = Result{Path: a.Path, Status: Failed, Message: err.Error()}
			}
		}
		return fmt.Sprintf("%d/%d %s", a.Number, a.Of, a.Path), result
	case Skip:
		return "skip " + a.Path, a.Result()
	case Fail:
		return "fail " + a.Path, a.Result()
	case Ask:
		return "ask " + a.Path, Result{Path: a.Path, Status: Failed, Message: "not answered"}
	case Done:
		return fmt.Sprintf("%s %s", a.Status, a.Path), Result{}
	}
	t.Fatalf("unknown action %T", action)
	return "", Result{}
}

func expectTrace(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// steps makes a sequence of run-command-line steps and whatever else is given.
func sequenceOf(nodes string) string {
	return `{"id":"main","version":1,"name":"Main","steps":[` + nodes + `]}`
}

func cmd(id string, more ...string) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"definition":"run-command-line","settings":{"Command":"true"}%s}`, id, id, strings.Join(more, ""))
}

func group(id, more string, members ...string) string {
	return fmt.Sprintf(`{"id":%q,"name":%q%s,"steps":[%s]}`, id, id, more, strings.Join(members, ","))
}

func TestStepsRunInOrderWithNumbers(t *testing.T) {
	doc := pinned(t, parse(t, sequenceOf(strings.Join([]string{
		cmd("a"), group("g", "", cmd("b"), group("inner", "", cmd("c"))), cmd("off", `,"disabled":true`), cmd("d"),
	}, ","))))
	vars := NewVariables()
	expectTrace(t, drive(t, newRun(t, doc, vars), vars), "1/4 a", "2/4 g/b", "3/4 g/inner/c", "4/4 d", "succeeded ")
}

func TestFailureFailsTheGroup(t *testing.T) {
	const goOn = `,"continueOnError":true`
	for _, test := range []struct {
		name, nodes string
		want        []string
	}{
		{"nobody goes on", cmd("fail") + "," + cmd("after"), []string{"1/2 fail", "failed fail"}},
		{"step goes on", cmd("fail", goOn) + "," + cmd("after"), []string{"1/2 fail", "2/2 after", "succeeded "}},
		{"group goes on", group("g", goOn, cmd("fail"), cmd("left")) + "," + cmd("after"), []string{"1/3 g/fail", "3/3 after", "succeeded "}},
		{"outer group goes on", group("o", goOn, group("g", "", cmd("fail"), cmd("left")), cmd("left2")) + "," + cmd("after"),
			[]string{"1/4 o/g/fail", "4/4 after", "succeeded "}},
		{"group fails", group("g", "", cmd("fail"), cmd("left")) + "," + cmd("after"), []string{"1/3 g/fail", "failed g/fail"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			vars := NewVariables()
			expectTrace(t, drive(t, newRun(t, pinned(t, parse(t, sequenceOf(test.nodes))), vars), vars), test.want...)
		})
	}
}

func TestDoneTellsWhy(t *testing.T) {
	vars := NewVariables()
	r := newRun(t, pinned(t, parse(t, sequenceOf(cmd("fail1", `,"continueOnError":true`)+","+cmd("fail2")))), vars)
	drive(t, r, vars)
	want := Done{Status: Failed, Path: "fail2", Name: "fail2", Message: "fail2 said no", Tolerated: 1}
	if got := r.Next(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConditionsAreAskedWhenTheirTurnComes(t *testing.T) {
	set := `{"id":"set","name":"set","definition":"set-variable","settings":{"VariableName":"Make","VariableValue":"QEMU"}}`
	condition := func(make string) string {
		return fmt.Sprintf(`,"condition":{"variable":"make","equals":%q}`, make)
	}
	nodes := strings.Join([]string{set, cmd("dell", condition("Dell")), cmd("qemu", condition("qemu")),
		group("g", condition("Dell"), cmd("x"), cmd("y")), group("h", condition("QEMU"), cmd("z"))}, ",")
	vars := NewVariables()
	r := newRun(t, pinned(t, parse(t, sequenceOf(nodes))), vars)
	expectTrace(t, drive(t, r, vars), "1/6 set", "skip dell", "3/6 qemu", "skip g", "6/6 h/z", "succeeded ")
	if got, want := r.results["dell"].Message, `make equals "Dell" is not met: make is "QEMU"`; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestAGroupThatWasEnteredIsNotAskedAgain(t *testing.T) {
	nodes := group("g", `,"condition":{"variable":"Go","equals":"yes"}`, cmd("a"), cmd("b"))
	doc := pinned(t, parse(t, sequenceOf(nodes)))
	vars := NewVariables() // Go is no longer "yes" when the agent returns
	expectTrace(t, drive(t, newRun(t, doc, vars, Result{Path: "g/a", Status: Succeeded}), vars), "2/2 g/b", "succeeded ")
	expectTrace(t, drive(t, newRun(t, doc, vars), vars), "skip g", "succeeded ")
}

func TestChildSequencesShareVariables(t *testing.T) {
	child := parse(t, `{"id":"child","version":3,"name":"Child","variables":{"Colour":"red","Size":"2"},"steps":[
		{"id":"set","name":"set","definition":"set-variable","settings":{"VariableName":"Out","VariableValue":"%Colour%-%Size%"}}]}`)
	main := parse(t, `{"id":"main","version":1,"name":"Main","variables":{"Colour":"blue"},"steps":[
		{"id":"one","name":"one","definition":"run-task-sequence","settings":{"Sequence":"child"}},
		{"id":"g","name":"g","steps":[{"id":"two","name":"two","definition":"run-task-sequence","settings":{"Sequence":"child:3"}}]}]}`)
	doc := pinned(t, main, child)
	vars := NewVariables()
	expectTrace(t, drive(t, newRun(t, doc, vars), vars), "1/2 one>set", "2/2 g/two>set", "succeeded ")
	if got := vars.Text("out"); got != "blue-2" {
		t.Errorf("Out is %q", got)
	}
	if _, ok := doc.Children["child:3"]; !ok || string(doc.Sequence.Steps[0].Settings["Sequence"]) != `"child:3"` {
		t.Errorf("the child's version is not pinned: %v, %s", doc.Children, doc.Sequence.Steps[0].Settings["Sequence"])
	}
}

func TestRecursionIsRefused(t *testing.T) {
	calls := func(id, other string) Sequence {
		return parse(t, fmt.Sprintf(`{"id":%q,"version":1,"name":%q,"steps":[{"id":"go","name":"go","definition":"run-task-sequence","settings":{"Sequence":%q}}]}`, id, id, other))
	}
	a, b := calls("a", "b"), calls("b", "a:1")
	for _, s := range []Sequence{calls("self", "self"), a} {
		problems := Validate(s, sources(among(a, b, calls("self", "self"))))
		if len(problems) != 1 || !strings.Contains(problems.Error(), "cannot run itself") {
			t.Errorf("%s: problems %v", s.ID, problems)
		}
	}
	doc := &Document{Format: 1, Sequence: a, Children: map[string]Sequence{"b": b, "a:1": a}}
	if _, err := NewRun(doc, NewVariables(), nil); !errors.Is(err, errRecursion) {
		t.Errorf("a document made by hand: %v", err)
	}
}

func TestInterruption(t *testing.T) {
	set := `{"id":"set","name":"set","definition":"set-variable","settings":{"VariableName":"A","VariableValue":"1"}}`
	again := `{"id":"again","name":"again","definition":"run-command-line","settings":{"Command":"x","AfterInterruption":"run-again"}}`
	doc := pinned(t, parse(t, sequenceOf(set+","+again+","+cmd("ask"))))
	interrupted := func(path string) Action {
		var results []Result
		for _, p := range []string{"set", "again", "ask"} {
			if p == path {
				results = append(results, Result{Path: p, Status: Running})
				break
			}
			results = append(results, Result{Path: p, Status: Succeeded})
		}
		return newRun(t, doc, NewVariables(), results...).Next()
	}
	for _, path := range []string{"set", "again"} {
		if e, ok := interrupted(path).(Execute); !ok || !e.Interrupted || e.After != RunAgain || e.Path != path {
			t.Errorf("%s: %+v", path, interrupted(path))
		}
	}
	if ask, ok := interrupted("ask").(Ask); !ok || ask.Path != "ask" || ask.Question == "" {
		t.Errorf("ask: %+v", interrupted("ask"))
	}

	r := newRun(t, doc, NewVariables(), Result{Path: "set", Status: Succeeded}, Result{Path: "again", Status: Succeeded}, Result{Path: "ask", Status: Running})
	if err := r.RunAgain("ask"); err != nil {
		t.Fatal(err)
	}
	if e, ok := r.Next().(Execute); !ok || !e.Interrupted || e.After != RunAgain {
		t.Errorf("after the answer: %+v", r.Next())
	}
	record(t, r, Result{Path: "ask", Status: Running})
	if ask, ok := r.Next().(Ask); !ok {
		t.Errorf("interrupted once more, the person is asked once more: %+v", ask)
	}
	if err := r.RunAgain("set"); err == nil {
		t.Error("a finished step may not run again")
	}
}

func TestAConditionDoesNotApplyToAnInterruptedStep(t *testing.T) {
	set := `{"id":"set","name":"set","condition":{"variable":"Go","equals":"yes"},"definition":"set-variable","settings":{"VariableName":"A","VariableValue":"1"}}`
	r := newRun(t, pinned(t, parse(t, sequenceOf(set))), NewVariables(), Result{Path: "set", Status: Running})
	if _, ok := r.Next().(Execute); !ok {
		t.Errorf("got %+v", r.Next())
	}
}

// A step was at work in the installed system when power was lost, and the boot image
// came up: it is not carried out there.
func TestAnInterruptedStepDoesNotRunElsewhere(t *testing.T) {
	again := func(more string) string {
		return `{"id":"x","name":"x","definition":"run-command-line","settings":{"Command":"x","AfterInterruption":"run-again"}` + more + `}`
	}
	for name, c := range map[string]struct{ steps, path string }{
		"the step's own":   {again(`,"environments":["fullos"]`), "x"},
		"that of a group":  {group("g", `,"environments":["fullos"]`, again("")), "g/x"},
		"the definition's": {again(""), "x"},
	} {
		doc := pinned(t, parse(t, sequenceOf(c.steps+","+cmd("l"))))
		if name == "the definition's" {
			define := runCommandLine()
			define.Environments = []string{FullOS}
			doc.Definitions[define.Key()] = define
		}
		for environment, runs := range map[string]bool{FullOS: true, LinuxPE: false} {
			vars := NewVariables()
			if err := vars.SetSystem(VariableEnvironment, Value{Text: environment}); err != nil {
				t.Fatal(err)
			}
			action := newRun(t, doc, vars, Result{Path: c.path, Status: Running}).Next()
			e, ok := action.(Execute)
			if ok != runs || runs && !e.Interrupted {
				t.Errorf("%s, in %s: %+v", name, environment, action)
			}
			if f, failed := action.(Fail); !runs && (!failed || f.Path != c.path || !strings.Contains(f.Message, "fullos")) {
				t.Errorf("%s, in %s: %+v", name, environment, action)
			}
		}
	}
}

func TestEnvironments(t *testing.T) {
	only := pinned(t, parse(t, sequenceOf(cmd("w", `,"environments":["winpe"]`)+","+group("g", `,"environments":["fullos"]`, cmd("x"))+","+cmd("l"))))
	vars := NewVariables()
	if err := vars.SetSystem(VariableEnvironment, Value{Text: LinuxPE}); err != nil {
		t.Fatal(err)
	}
	expectTrace(t, drive(t, newRun(t, only, vars), vars), "skip w", "skip g", "3/3 l", "succeeded ")

	define := runCommandLine()
	define.Environments = []string{WinPE}
	only.Definitions[define.Key()] = define
	r := newRun(t, only, vars, Result{Path: "w", Status: Skipped}, Result{Path: "g", Status: Skipped})
	if f, ok := r.Next().(Fail); !ok || !strings.Contains(f.Message, "winpe") || !strings.Contains(f.Message, "linuxpe") {
		t.Errorf("a step whose definition cannot run here: %+v", r.Next())
	}
}

func TestSettingsThatCannotBeResolvedFailTheStep(t *testing.T) {
	step := `{"id":"a","name":"a","continueOnError":true,"definition":"run-command-line","settings":{"Command":"x","Timeout":"%T%"}}`
	doc := pinned(t, parse(t, sequenceOf(step+","+cmd("b"))))
	vars := NewVariables()
	expectTrace(t, drive(t, newRun(t, doc, vars), vars), "fail a", "2/2 b", "succeeded ")
	if err := vars.Set("T", Value{Text: "7"}); err != nil {
		t.Fatal(err)
	}
	if e, ok := newRun(t, doc, vars).Next().(Execute); !ok || e.Timeout.Seconds() != 7 {
		t.Errorf("timeout from a variable: %+v", e)
	}
}

// Facts of the device are True or False, as scripts for Windows write them.
func TestAFactAsABooleanSetting(t *testing.T) {
	define, _ := BuiltinCatalogue().Find(FormatDisk, 1)
	n := &Node{Settings: map[string]json.RawMessage{"BootsBothWays": raw(`"%IsVM%"`)}}
	for text, want := range map[string]bool{"True": true, "False": false, "TRUE": true, "true": true, "false": false} {
		vars := NewVariables()
		if err := vars.SetSystem("IsVM", Value{Text: text}); err != nil {
			t.Fatal(err)
		}
		s, err := resolve(define, n, vars)
		if err != nil || s.Bool("BootsBothWays") != want || s.Text("BootsBothWays") != strings.ToLower(text) {
			t.Errorf("%s: %q, %v", text, s.Text("BootsBothWays"), err)
		}
	}
	vars := NewVariables()
	for _, v := range []Value{{Text: "yes"}, {Text: " True"}} {
		if err := vars.SetSystem("IsVM", v); err != nil {
			t.Fatal(err)
		}
		if _, err := resolve(define, n, vars); err == nil {
			t.Errorf("%+v is taken", v)
		}
	}
}

func TestRecordRefuses(t *testing.T) {
	r := newRun(t, pinned(t, parse(t, sequenceOf(cmd("a")))), NewVariables())
	if err := r.Record(Result{Path: "b", Status: Succeeded}); !errors.Is(err, ErrUnknownPath) {
		t.Errorf("unknown path: %v", err)
	}
	if err := r.Record(Result{Path: "a", Status: "odd"}); err == nil {
		t.Error("unknown status taken")
	}
	if err := r.Record(Result{Path: "a", Status: Succeeded}); err != nil {
		t.Fatal(err)
	}
	if err := r.Record(Result{Path: "a", Status: Failed}); !errors.Is(err, ErrFinal) {
		t.Errorf("second result: %v", err)
	}
}

// TestAnyCutLeadsToTheSameEnd stops a run after each action, starts a new one from
// what was recorded, and expects that every step still runs exactly once.
func TestAnyCutLeadsToTheSameEnd(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		doc := pinned(t, parse(t, sequenceOf(randomNodes(random, 3, new(int)))))
		vars := NewVariables()
		whole := drive(t, newRun(t, doc, vars), vars)

		vars = NewVariables()
		var results []Result
		var pieces []string
		for {
			r := newRun(t, doc, vars, results...)
			action := r.Next()
			line, result := act(t, action, vars)
			pieces = append(pieces, line)
			if _, done := action.(Done); done {
				break
			}
			results = append(results, result)
		}
		if !slices.Equal(whole, pieces) {
			t.Fatalf("seed %d: in one go\n  %v\nin pieces\n  %v", seed, whole, pieces)
		}
	}
}

func randomNodes(random *rand.Rand, depth int, count *int) string {
	var nodes []string
	for range 1 + random.IntN(4) {
		*count++
		var more string
		if random.IntN(3) == 0 {
			more += `,"continueOnError":true`
		}
		if random.IntN(6) == 0 {
			more += `,"disabled":true`
		}
		if random.IntN(4) == 0 {
			more += `,"condition":{"variable":"Flag","exists":` + []string{"true", "false"}[random.IntN(2)] + `}`
		}
		id := fmt.Sprintf("n%d", *count)
		switch kind := random.IntN(6); {
		case kind < 2 && depth > 0:
			nodes = append(nodes, fmt.Sprintf(`{"id":%q,"name":"g"%s,"steps":[%s]}`, id, more, randomNodes(random, depth-1, count)))
		case kind == 2:
			nodes = append(nodes, fmt.Sprintf(`{"id":%q,"name":"fail"%s,"definition":"run-command-line","settings":{"Command":"x"}}`, id, more))
		case kind == 3:
			nodes = append(nodes, fmt.Sprintf(`{"id":%q,"name":"set"%s,"definition":"set-variable","settings":{"VariableName":"Flag"}}`, id, more))
		default:
			nodes = append(nodes, cmd(id, more))
		}
	}
	return strings.Join(nodes, ",")
}

func TestTenThousandSteps(t *testing.T) {
	nodes := make([]string, MaxNodes)
	for i := range nodes {
		nodes[i] = cmd(fmt.Sprintf("s%d", i))
	}
	s := parse(t, sequenceOf(strings.Join(nodes, ",")))
	if problems := Check(s, BuiltinCatalogue()); len(problems) > 0 {
		t.Fatal(problems[0])
	}
	vars := NewVariables()
	trace := drive(t, newRun(t, pinned(t, s), vars), vars)
	if len(trace) != MaxNodes+1 || trace[MaxNodes-1] != "10000/10000 s9999" {
		t.Errorf("%d actions, the last %q", len(trace), trace[len(trace)-2:])
	}
	s.Steps = append(s.Steps, Node{ID: "more", Name: "more", Definition: RunCommandLine, Settings: s.Steps[0].Settings})
	if problems := Check(s, BuiltinCatalogue()); len(problems) != 1 || !strings.Contains(problems[0].Detail, "10000") {
		t.Errorf("one step more: %v", problems)
	}
}

func TestChildrenCannotMultiplyWithoutBound(t *testing.T) {
	var all []Sequence
	for level := range 6 { // each runs the next one ten times: a million steps
		var nodes []string
		for i := range 10 {
			nodes = append(nodes, fmt.Sprintf(`{"id":"c%d","name":"c","definition":"run-task-sequence","settings":{"Sequence":"level%d"}}`, i, level+1))
		}
		all = append(all, parse(t, fmt.Sprintf(`{"id":"level%d","version":1,"name":"l","steps":[%s]}`, level, strings.Join(nodes, ","))))
	}
	all = append(all, parse(t, `{"id":"level6","version":1,"name":"l","steps":[`+cmd("x")+`]}`))
	problems := Validate(all[0], sources(among(all...)))
	if len(problems) != 1 || !strings.Contains(problems[0].Detail, "10000") {
		t.Errorf("problems %v", problems)
	}
}
