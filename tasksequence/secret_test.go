package tasksequence

import (
	"encoding/json"
	"strings"
	"testing"
)

// locked is a step with options that are secret always, and one by a switch.
func locked(t *testing.T) *Catalogue {
	t.Helper()
	c, err := NewCatalogue(append(Builtin(), Definition{Format: Format, ID: "locked", Version: 1, Name: "Locked", Executor: "locked",
		Environments: allEnvironments(), Options: []Option{
			{Name: "Pin", Type: TypeInteger, Secret: true, Rule: between(1000, 9999)},
			{Name: "Key", Type: TypeText, Secret: true, Rule: &Rule{Pattern: "[A-Z]+", Choices: []string{"AB", "CD"}}},
			{Name: "Token", Type: TypeText, SecretIf: "Gone"},
		}})...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func settings(text string) (out map[string]json.RawMessage) {
	_ = json.Unmarshal([]byte(text), &out)
	return out
}

func TestWhichSettingsAreSecret(t *testing.T) {
	c := locked(t)
	for _, test := range []struct {
		definition, option, settings string
		want                         bool
	}{
		{SetVariable, "VariableValue", `{"Secret":true}`, true},
		{SetVariable, "VariableValue", `{"Secret":"true"}`, true},
		{SetVariable, "VariableValue", `{"Secret":"%Maybe%"}`, true},
		{SetVariable, "VariableValue", `{"Secret":null}`, true},
		{SetVariable, "VariableValue", `{"Secret":false}`, false},
		{SetVariable, "VariableValue", `{"Secret":"false"}`, false},
		{SetVariable, "VariableValue", `{}`, false},
		{SetVariable, "VariableName", `{"Secret":true}`, false},
		{SetVariable, "Unknown", `{"Secret":true}`, false},
		{"unknown", "VariableValue", `{"Secret":true}`, false},
		{"locked", "Pin", `{}`, true},
		{"locked", "Token", `{}`, true},
	} {
		if got := c.SecretSetting(&Node{Definition: test.definition, Settings: settings(test.settings)}, test.option); got != test.want {
			t.Errorf("%s of %s with %s: secret is %v", test.option, test.definition, test.settings, got)
		}
	}
}

// TestSwitchesOfSecretsExist: an option that is secret by a switch names a boolean one.
func TestSwitchesOfSecretsExist(t *testing.T) {
	switches := 0
	for _, d := range Builtin() {
		for _, o := range d.Options {
			if o.SecretIf == "" {
				continue
			}
			switches++
			if by, ok := d.Option(o.SecretIf); !ok || by.Type != TypeBoolean || o.Required {
				t.Errorf("%s of %s is secret by %q", o.Name, d.ID, o.SecretIf)
			}
		}
	}
	if switches == 0 {
		t.Error("no built-in step can hold a secret")
	}
}

func lockedSequence(settings string) string {
	return `{"id":"x","version":1,"name":"x","steps":[{"id":"s","name":"s","definition":"locked","settings":` + settings + `}]}`
}

func TestProblemsDoNotTellSecrets(t *testing.T) {
	for _, wrong := range []string{`{"Pin":"77777"}`, `{"Pin":"77"}`, `{"Pin":"77x"}`, `{"Key":"77"}`, `{"Key":"EF"}`} {
		s := parse(t, lockedSequence(wrong))
		problems := Check(s, locked(t))
		if len(problems) != 1 || strings.Contains(problems.Error(), "77") || strings.Contains(problems.Error(), "EF") {
			t.Errorf("%s: %v", wrong, problems)
		}
		node, vars := &s.Steps[0], NewVariables()
		define, _ := locked(t).Find("locked", 1)
		if _, err := resolve(define, node, vars); err == nil || strings.Contains(err.Error(), "77") || strings.Contains(err.Error(), "EF") {
			t.Errorf("%s when it runs: %v", wrong, err)
		}
	}
}

func TestMaskedSequencesAreValidAndRun(t *testing.T) {
	s := parse(t, lockedSequence(`{"Pin":"***","Key":"***"}`))
	if problems := Check(s, locked(t)); len(problems) > 0 {
		t.Error(problems)
	}
	define, _ := locked(t).Find("locked", 1)
	resolved, err := resolve(define, &s.Steps[0], NewVariables())
	if err != nil || !resolved.Value("Pin").Secret || resolved.Text("Key") != Masked {
		t.Errorf("%+v, %v", resolved, err)
	}
	// The mask is taken for a value only where a secret is.
	s = parse(t, `{"id":"x","version":1,"name":"x","steps":[{"id":"s","name":"s","definition":"reboot","settings":{"RebootDelay":"***"}}]}`)
	if problems := Check(s, locked(t)); len(problems) != 1 {
		t.Errorf("a masked number that is no secret: %v", problems)
	}
}

func TestSecretSettingsAreSecretToTheStep(t *testing.T) {
	s := parse(t, lockedSequence(`{"Pin":"7777","Key":"AB"}`))
	define, _ := locked(t).Find("locked", 1)
	vars := NewVariables()
	resolved, err := resolve(define, &s.Steps[0], vars)
	if err != nil {
		t.Fatal(err)
	}
	if got := vars.Scope(resolved.Private()).Mask("pin 7777, key AB"); got != "pin ***, key ***" {
		t.Errorf("the step's output shows %q", got)
	}
}

func TestMapSettingsLeavesTheSequence(t *testing.T) {
	s := parse(t, everything)
	before, _ := json.Marshal(s)
	paths := map[string]bool{}
	changed, err := s.MapSettings(func(x Setting) (json.RawMessage, error) {
		paths[x.Path+"."+x.Option] = true
		return raw(`"new"`), nil
	})
	if err != nil || !paths["group/command.Command"] || !paths["set.VariableValue"] {
		t.Errorf("%v, %v", paths, err)
	}
	if after, _ := json.Marshal(s); string(after) != string(before) {
		t.Error("the sequence was changed")
	}
	if string(changed.Steps[0].Steps[0].Settings["Command"]) != `"new"` || !changed.Steps[0].Steps[1].IsGroup() {
		t.Errorf("%+v", changed.Steps[0])
	}
	same, _ := s.MapSettings(func(x Setting) (json.RawMessage, error) { return x.Value, nil })
	if after, _ := json.Marshal(same); string(after) != string(before) {
		t.Errorf("a copy differs: %s", after)
	}
}

func TestReferencesAndMasks(t *testing.T) {
	for text, want := range map[string][2]bool{
		`"%A%"`: {true, false}, `"***"`: {false, true}, `"%A%b"`: {}, `"%%"`: {}, `["%A%"]`: {}, `["***"]`: {}, `{"a":1}`: {}, `"****"`: {}, ``: {},
	} {
		if got := [2]bool{IsReference(raw(text)), IsMasked(raw(text))}; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
