package tasksequence

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestBuiltinDefinitions checks what every definition must hold to be usable.
func TestBuiltinDefinitions(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Builtin() {
		if seen[d.ID] || CheckID(d.ID) != nil || d.Version < 1 || d.Format != Format || d.Name == "" || d.Category == "" || d.Description == "" {
			t.Errorf("%s: incomplete or there twice: %+v", d.ID, d)
		}
		seen[d.ID] = true
		if len(d.Environments) == 0 || !slices.Contains([]Interruption{RunAgain, VerifyFirst, AskFirst}, d.Interruption) {
			t.Errorf("%s: environments %v, interruption %q", d.ID, d.Environments, d.Interruption)
		}
		if (d.Executor == ExecutorNone) != (d.ID == RunTaskSequence) {
			t.Errorf("%s: executor %q", d.ID, d.Executor)
		}
		for _, o := range d.Options {
			checkOption(t, d, o)
		}
		written, err := json.Marshal(d)
		var again Definition
		if err != nil || json.Unmarshal(written, &again) != nil || again.Key() != d.Key() || len(again.Options) != len(d.Options) {
			t.Errorf("%s does not survive JSON: %v", d.ID, err)
		}
	}
}

func checkOption(t *testing.T, d Definition, o Option) {
	t.Helper()
	if o.Name == "" || o.Label == "" || o.Help == "" {
		t.Errorf("%s.%s: label and help are needed", d.ID, o.Name)
	}
	if o.Required && o.Default != nil {
		t.Errorf("%s.%s: what has a default is not required", d.ID, o.Name)
	}
	if o.Default == nil {
		return
	}
	var value Value
	if err := json.Unmarshal(o.Default, &value); err != nil || o.check(value) != nil {
		t.Errorf("%s.%s: the default %s does not pass its own rule", d.ID, o.Name, o.Default)
	}
}

func TestFindingDefinitions(t *testing.T) {
	one, two := Definition{ID: "x", Version: 1}, Definition{ID: "x", Version: 2, Name: "newer"}
	c, err := NewCatalogue(two, one)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := c.Find("x", 0); !ok || d.Version != 2 {
		t.Errorf("newest: %+v", d)
	}
	if d, ok := c.Find("x", 1); !ok || d.Version != 1 {
		t.Errorf("version 1: %+v", d)
	}
	if _, ok := c.Find("x", 3); ok {
		t.Error("version 3 was found")
	}
	if _, ok := c.Find("y", 0); ok {
		t.Error("y was found")
	}
	if _, err := NewCatalogue(one, one); err == nil {
		t.Error("the same definition twice was taken")
	}
}

func TestSetVariable(t *testing.T) {
	apply := func(vars *Variables, settings string) (Value, error) {
		t.Helper()
		doc := pinned(t, parse(t, sequenceOf(`{"id":"s","name":"s","definition":"set-variable","settings":{"VariableName":"Out",`+settings+`}}`)))
		e, ok := newRun(t, doc, vars).Next().(Execute)
		if !ok {
			t.Fatalf("%+v", newRun(t, doc, vars).Next())
		}
		err := ApplySetVariable(e.Settings, vars)
		value, _ := vars.Get("Out")
		return value, err
	}
	for settings, want := range map[string]Value{
		`"VariableValue":"x"`:                        {Text: "x"},
		`"VariableValue":""`:                         {},
		`"VariableValue":5`:                          {Text: "5"},
		`"VariableValue":["a","%X%"]`:                {List: []string{"a", "1"}},
		`"VariableValue":"%L%"`:                      {List: []string{"p", "q"}},
		`"VariableValue":"%L%!"`:                     {Text: "p,q!"},
		`"VariableValue":"a\n\n b \r\n","List":true`: {List: []string{"a", "b"}},
		`"VariableValue":"%X%","Secret":true`:        {Text: "1", Secret: true},
		`"VariableValue":"%S%"`:                      {Text: "hush", Secret: true},
		`"VariableValue":"got %S%"`:                  {Text: "got hush", Secret: true},
		`"VariableValue":["%S%"]`:                    {List: []string{"hush"}, Secret: true},
		`"VariableValue":"%%S%%"`:                    {Text: "%S%"},
	} {
		vars := varsOf(t, "X", "1")
		set(t, vars, "L", Value{List: []string{"p", "q"}})
		set(t, vars, "S", Value{Text: "hush", Secret: true})
		if got, err := apply(vars, settings); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %+v, %v", settings, got, err)
		}
	}
	if _, err := apply(varsOf(t), `"VariableValue":"`+string(make([]byte, 0))+`"`); err != nil {
		t.Error(err)
	}
}
