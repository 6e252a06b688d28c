package tasksequence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func problemsOf(t testing.TB, text string) Problems {
	t.Helper()
	s, err := ParseSequence([]byte(text))
	var problems Problems
	if errors.As(err, &problems) {
		return problems
	}
	if err != nil {
		t.Fatalf("not Problems: %v", err)
	}
	return Validate(s, sources(among()))
}

// TestAllProblemsAtOnce breaks many rules in one text and expects each by step and field.
func TestAllProblemsAtOnce(t *testing.T) {
	text := `{"format":9,"id":"a b","version":-1,"status":"done","name":" ","architecture":"mips","variables":{"A":"1","a":"2","_R":"x"},"steps":[
		{"id":"s1","name":"","definition":"run-command-line","settings":{"Command":"","Comand":"x","Timeout":"soon","SuccessCodes":[0,"x"],"AfterInterruption":"never"}},
		{"id":"s1","name":"twice","definition":"fly"},
		{"id":"S/2","name":"bad\u001bid","definition":"reboot","definitionVersion":7},
		{"id":"s3","name":"nothing"},
		{"id":"s4","name":"conditions","definition":"reboot","condition":{"variable":"A","matches":"("},"environments":["moon"],"timeout":-1,"retries":1000,"retryWait":-2},
		{"id":"s5","name":"both","definition":"run-command-line","timeout":5,"successCodes":[0],"settings":{"Command":"x","Timeout":9,"SuccessCodes":[1]}},
		{"id":"g","name":"group","definition":"reboot","steps":[{"id":"s6","name":"set","definition":"set-variable","settings":{"VariableName":"_X"}}]},
		{"id":"s7","name":"call","definition":"run-task-sequence","timeout":3,"settings":{"Sequence":"a b"}},
		{"id":"s8","name":"delay","definition":"reboot","settings":{"RebootDelay":99999,"RebootRequested":["disk"]}}
	]}`
	problems := problemsOf(t, text)
	var got []string
	for _, p := range problems {
		got = append(got, strings.Trim(p.Step+" "+p.Field, " "))
		if p.Detail == "" {
			t.Errorf("no detail: %+v", p)
		}
	}
	want := []string{"format", "id", "version", "status", "name", "architecture", "variables.a", "variables._R",
		"s1 name", "s1 settings.Command", "s1 settings.Comand", "s1 settings.Timeout", "s1 settings.SuccessCodes", "s1 settings.AfterInterruption",
		"s1 id", "s1 definition", "S/2 id", "S/2 name", "S/2 definitionVersion", "s3 definition", "s4 condition", "s4 environments", "s4 timeout", "s4 retries", "s4 retryWait",
		"s5 timeout", "s5 successCodes", "g steps", "g/s6 settings.VariableName", "s7 definition", "s7 settings.Sequence", "s8 settings.RebootDelay", "s8 settings.RebootRequested"}
	slices.Sort(got)
	slices.Sort(want)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no problem with %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d:\n%v", len(got), len(want), problems)
	}
}

func TestProblemsSayWhatToDo(t *testing.T) {
	p := problemsOf(t, sequenceOf(`{"id":"s","name":"Say hello","definition":"run-command-line","settings":{"command":"x"}}`))
	want := []string{
		`step s (Say hello): settings.command: Run command line has no option "command". Did you mean "Command"?`,
		`step s (Say hello): settings.Command: a value is needed. The command as the shell reads it. %NAME% is replaced before the shell sees it, %% is a percent sign.`,
	}
	if !slices.Equal(strings.Split(p.Error(), "\n"), want) {
		t.Errorf("got\n%v\nwant\n%s", p, strings.Join(want, "\n"))
	}
}

func TestUnknownMembersAreFoundEverywhere(t *testing.T) {
	p := problemsOf(t, `{"name":"x","Steps":[],"owner":{"a":1},"name":"y","steps":[{"name":"a","definiton":"reboot","condition":{"and":[{"variable":"A","equal":"x"}]}},
		{"name":"g","steps":[{"name":"b","definition":"reboot","settings":{"Any":1},"colour":[1,{"x":2}]}]}]}`)
	want := []string{
		`Steps: unknown member. Did you mean "steps"?`,
		`owner: unknown member. Known here: architecture, description, format, id, name, status, steps, variables, version.`,
		`name: this member stands here twice. Keep one of them.`,
		`steps[0].definiton: unknown member. Did you mean "definition"?`,
		`steps[0].condition.and[0].equal: unknown member. Did you mean "equals"?`,
		`steps[1].steps[0].colour: unknown member. Known here: condition, continueOnError, definition, definitionVersion, description, disabled, environments, id, name, retries, retryWait, settings, steps, successCodes, timeout.`,
	}
	if got := strings.Split(p.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestWrongTypesAreLocated(t *testing.T) {
	p := problemsOf(t, `{"name":5,"variables":{"A":{}},"steps":[{"id":"a","name":"a","timeout":"5","disabled":1,"definition":"reboot"},
		{"id":"g","name":"g","steps":[{"id":"b","name":"b","condition":{"variable":"A","equals":"x","less":"y"},"steps":{}},"text"]}]}`)
	var got []string
	for _, problem := range p {
		got = append(got, problem.Step+" "+problem.Field)
	}
	want := []string{" name", "a disabled", "a timeout", "g/b condition", "g/b steps", "g/[1] ", " variables"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\n%v", got, p)
	}
}

func TestTextsThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", " \n": "empty", "{": "too early", `{"name":}`: "not valid JSON", `{"name":"x"} {}`: "something follows",
		"null": "has no name", "5": "a number stands", `{"steps":[`: "too early", "\xff": "not valid JSON",
		strings.Repeat("[", 5_000_000):                      "at most",
		strings.Repeat(`{"steps":[`, 100_000):               "nested",
		`{"name":"x","steps":[{"name":"a","settings":[]}]}`: "a list stands where an object",
	} {
		if got := problemsOf(t, text).Error(); !strings.Contains(got, want) {
			t.Errorf("%.40q: %s", text, got)
		}
	}
}

func TestDepthAndPathsAreBounded(t *testing.T) {
	nested := func(levels int, id string) string {
		return sequenceOf(strings.Repeat(`{"id":"`+id+`%","name":"g","steps":[`, levels) + `{"id":"x","name":"x","definition":"reboot"}` + strings.Repeat(`]}`, levels))
	}
	number := func(text string) string {
		for i := 0; strings.Contains(text, "%"); i++ {
			text = strings.Replace(text, "%", fmt.Sprint(i), 1)
		}
		return text
	}
	if p := problemsOf(t, number(nested(MaxDepth-1, "g"))); len(p) > 0 {
		t.Errorf("as deep as allowed: %v", p)
	}
	if p := problemsOf(t, number(nested(MaxDepth, "g"))); len(p) != 1 || !strings.Contains(p[0].Detail, "deep") {
		t.Errorf("one too deep: %v", p)
	}
	if p := problemsOf(t, number(nested(20, strings.Repeat("long", 8)))); len(p) != 1 || !strings.Contains(p[0].Detail, "bytes long together") {
		t.Errorf("long ids: %v", p)
	}
}

func TestIDsAreMadeFromNames(t *testing.T) {
	s := parse(t, `{"name":"x","steps":[{"name":"Say hello!"},{"name":"say HELLO"},{"name":"Größe"},{"name":"日本"},{"name":"x","id":"step"},
		{"name":"g","steps":[{"name":"Say hello"},{"name":"--"}]},{"name":"`+strings.Repeat("word ", 30)+`"}]}`)
	var ids []string
	walk(s.Steps, func(n *Node) { ids = append(ids, n.ID) })
	want := []string{"say-hello", "say-hello-2", "gr-e", "step-2", "step", "g", "say-hello-3", "step-3", "word-word-word-word-word-word-word-word"}
	if !slices.Equal(ids, want) {
		t.Errorf("got %q", ids)
	}
	if s.Format != Format || s.Status != Active {
		t.Errorf("format %d, status %q", s.Format, s.Status)
	}
}

func TestReferences(t *testing.T) {
	for text, want := range map[string]Reference{"a": {ID: "a"}, "a:1": {ID: "a", Version: 1}, SampleID + ":12": {ID: SampleID, Version: 12}} {
		if got, err := ParseReference(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "a:", "a:0", "a:-1", "a:01", "a:+1", "a:1:2", "a:1000000", "a b", "a/b", "ä", strings.Repeat("a", 65)} {
		if got, err := ParseReference(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func TestChildProblemsNameTheChild(t *testing.T) {
	child := parse(t, `{"id":"child","version":1,"name":"Child","steps":[{"id":"x","name":"x","definition":"run-task-sequence","settings":{"Sequence":"gone"}}]}`)
	main := parse(t, sequenceOf(`{"id":"call","name":"call","definition":"run-task-sequence","settings":{"Sequence":"child"}}`))
	got := Validate(main, sources(among(child))).Error()
	if want := "step Child: x (x): settings.Sequence: gone: there is no such task sequence. Choose another task sequence, or make a version of this one active."; got != want {
		t.Errorf("got %s", got)
	}
}
