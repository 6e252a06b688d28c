package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// opened is the value of the secret step as a device gets it.
func (b *bench) opened(ref string) string {
	b.t.Helper()
	id, version, _ := strings.Cut(ref, ":")
	var value string
	b.check(b.store.View(func(tx *state.Tx) error {
		for record := range tx.Sequences().ByID(id) {
			if fmt.Sprint(record.Version) != version {
				continue
			}
			s, err := fromRecord(record)
			if err != nil {
				return err
			}
			if s, err = b.library.vault.open(s); err != nil {
				return err
			}
			value = string(s.Steps[0].Steps[0].Settings["VariableValue"])
		}
		return nil
	}))
	return value
}

func TestMaskedImportsKeepTheSecret(t *testing.T) {
	b := newBench(t)
	secret := `"VariableValue":"` + planted + `","Secret":true`
	masked := `"VariableValue":"***","Secret":true`
	b.expect("with the value", b.imported(secretSequence(`"id":"x",`, secret)), "x:1")
	b.expect("with the value again", b.imported(secretSequence(`"id":"x",`, secret)), "x:1")
	for _, format := range []string{"json", "yaml"} {
		text, err := b.library.Export("x", 1, format)
		b.check(err)
		b.without("the export", text)
		b.expect("problems", len(b.library.Validate(text)), 0)
		b.expect("an export that comes back", b.imported(string(text)), "x:1")
	}
	b.expect("masked, no version", b.imported(secretSequence(`"id":"x",`, masked)), "x:1")
	b.expect("masked, no id", b.imported(secretSequence("", masked)), "x:1")
	changed := strings.Replace(secretSequence(`"id":"x",`, masked), "Password", "Its password", 1)
	b.expect("a changed one", b.imported(changed), "x:2")
	b.expect("its value", b.opened("x:2"), `"`+planted+`"`)
	b.expect("retired", b.imported(strings.Replace(changed, `"id":"x",`, `"id":"x","version":2,"status":"deprecated",`, 1)), "x:2")
	b.expect("its value", b.opened("x:2"), `"`+planted+`"`)
	b.expect("another value", b.imported(secretSequence(`"id":"x",`, `"VariableValue":"`+inChild+`","Secret":true`)), "x:3")
	b.expect("its value", b.opened("x:3"), `"`+inChild+`"`)
	b.expect("a gap", b.imported(strings.Replace(changed, `"id":"x",`, `"id":"x","version":9,`, 1)), "x:9")
	b.expect("its value", b.opened("x:9"), `"`+inChild+`"`)
	b.expect("a draft", b.imported(secretSequence(`"id":"d","version":1,"status":"development",`, secret)), "d:1")
	b.expect("a changed draft", b.imported(strings.Replace(secretSequence(`"id":"d","version":1,"status":"development",`, masked), "Group", "G", 1)), "d:1")
	b.expect("its value", b.opened("d:1"), `"`+planted+`"`)
	all, _ := b.stored()
	b.without("the state", all)
}

func TestMasksThatStandForNothing(t *testing.T) {
	b := newBench(t)
	masked := `"VariableValue":"***","Secret":true`
	b.load(secretSequence(`"id":"x",`, `"VariableValue":"`+planted+`","Secret":true`))
	b.load(secretSequence(`"id":"open",`, `"VariableValue":"seen","Secret":false`))
	all, _ := b.stored()
	var record tasksequence.Sequence
	b.check(json.Unmarshal(bytes.Split(all, []byte("\n"))[1], &record))
	sealed := string(record.Steps[0].Steps[0].Settings["VariableValue"])
	for name, test := range map[string]struct{ text, want string }{
		"a new sequence":       {secretSequence(`"id":"y",`, masked), "the version before has none"},
		"another step":         {strings.Replace(secretSequence(`"id":"x",`, masked), `"pw"`, `"other"`, 1), "the version before has none"},
		"a value that showed":  {secretSequence(`"id":"open",`, masked), "the version before has none"},
		"not secret any more":  {secretSequence(`"id":"x",`, `"VariableValue":"***","Secret":false`), "would not be secret any more"},
		"a sealed value":       {secretSequence(`"id":"x",`, `"VariableValue":`+sealed+`,"Secret":true`), "only where it was sealed"},
		"a sealed value, open": {secretSequence(`"id":"x",`, `"VariableValue":`+sealed), "only where it was sealed"},
		"an object":            {secretSequence(`"id":"x",`, `"VariableValue":{"a":1},"Secret":true`), "a value is a text"},
	} {
		_, err := b.importing(test.text)
		var problems tasksequence.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems.Error(), test.want) || problems[0].Field != "settings.VariableValue" || !strings.HasPrefix(problems[0].Step, "g/") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if again := b.library.Validate([]byte(test.text)); again.Error() != problems.Error() {
			t.Errorf("%s: validate says %v", name, again)
		}
	}
	b.expect("three stars that are no secret", b.imported(secretSequence(`"id":"stars",`, `"VariableValue":"***"`)), "stars:1")
}
