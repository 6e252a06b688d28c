package tasksequence

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func own(t testing.TB, text string) Definition {
	t.Helper()
	d, err := ParseDefinition([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOwnDefinitionsAreFilledIn(t *testing.T) {
	d := own(t, `{"id":"mine","name":"Mine","options":[{"name":"A","type":"text"}],"script":{"text":"true"}}`)
	if d.Format != Format || d.Executor != ExecutorScript || d.Interruption != AskFirst || d.Category == "" || d.Options[0].Label != "A" ||
		!slices.Equal(d.Environments, []string{LinuxPE, FullOS}) || len(d.CheckOwn()) > 0 {
		t.Errorf("got %+v, %v", d, d.CheckOwn())
	}
}

func TestAllProblemsOfADefinitionAtOnce(t *testing.T) {
	d := own(t, `{"format":2,"id":"reboot","version":-1,"name":" ","category":"a\nb","environments":["winpe"],"interruption":"verify-first","executor":"reboot","options":[
		{"name":"_A","type":"text"},{"name":"B-x","type":"magic"},{"name":"b_X","type":"text","stream":true},{"name":"Script","type":"text"},
		{"name":"C","type":"choice"},{"name":"D","type":"integer","rule":{"min":5,"max":1}},{"name":"E","type":"text","rule":{"pattern":"("}},
		{"name":"F","type":"integer","default":"x"},{"name":"G","type":"text","secretIf":"F"},{"name":"H","type":"text","purpose":"application"},
		{"name":"I","type":"content","purpose":"games"}],"script":{"text":"a","content":"b c","file":"../x"}}`)
	var got []string
	for _, p := range d.CheckOwn() {
		got = append(got, p.Field)
		if p.Detail == "" {
			t.Errorf("no detail: %+v", p)
		}
	}
	want := []string{"format", "id", "version", "name", "category", "environments", "interruption", "executor", "script", "script.content", "script.file",
		"options[0].name", "options[1].type", "options[2].name", "options[2].stream", "options[3].name", "options[4].rule", "options[5].rule", "options[6].rule",
		"options[7].default", "options[8].secretIf", "options[9].purpose", "options[10].purpose"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if p := own(t, `{"id":"x","name":"X"}`).CheckOwn(); len(p) != 1 || p[0].Field != "script" {
		t.Errorf("without a script: %v", p)
	}
	_, err := ParseDefinition([]byte(`{"id":"x","options":[{"name":"A","typ":"text"}],"script":{"texts":""}}`))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 2 || problems[0].Field != "options[0].typ" || problems[1].Remedy != `Did you mean "text"?` {
		t.Errorf("unknown members: %v", err)
	}
}

func TestTheContentOfAScriptIsPinned(t *testing.T) {
	d := own(t, `{"id":"mine","version":1,"name":"Mine","script":{"content":"app","file":"run.sh"},"options":[{"name":"Files","type":"content"}]}`)
	gone := own(t, `{"id":"gone","version":1,"name":"Gone","script":{"content":"nothing","file":"run.sh"}}`)
	from := withContent(t)
	var err error
	if from.Catalogue, err = from.Catalogue.With(d, gone); err != nil {
		t.Fatal(err)
	}
	off := `{"id":"off","name":"off","definition":"gone","disabled":true}`
	s := parse(t, sequenceOf(off+`,{"id":"a","name":"a","definition":"mine","settings":{"Files":"image"}}`))
	doc, err := Pin(s, from)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Definitions["mine:1"].Script.Content != "app:3" || d.Script.Content != "app" || doc.Content["app:3"].Version != 3 {
		t.Errorf("pinned %+v, %+v", doc.Definitions["mine:1"].Script, doc.Content)
	}
	run := newRun(t, doc, NewVariables())
	run.ContentFolders(func(p Position, option string) string { return "/c/" + p.Path + "/" + option })
	e := run.Next().(Execute)
	want := []StepContent{{ScriptContent, Reference{"app", 3}, "/c/a/Script"}, {"Files", Reference{"image", 1}, "/c/a/Files"}}
	if !slices.Equal(e.Content, want) || e.Private()["_CONTENT-Files"].Text != "/c/a/Files" {
		t.Errorf("content %+v", e.Content)
	}
	s = parse(t, sequenceOf(off+`,{"id":"a","name":"a","definition":"gone"}`))
	if got := Validate(s, from).Error(); got != "step a (a): definition: its script: nothing: there is no such content. Choose another item, or add this one." {
		t.Errorf("got %s", got)
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add([]byte(`{"id":"mine","version":1,"name":"Mine","options":[{"name":"A","type":"integer","default":5,"rule":{"min":1}}],"script":{"text":"true"}}`))
	f.Add([]byte(`{"id":"x","name":"X","options":[{"name":"A","type":"choice","rule":{"choices":["a"]},"default":"b"}],"script":{"content":"c:1","file":"a/b"}}`))
	f.Add([]byte(`{"options":[{}],"script":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseDefinition(text)
		if err != nil || len(d.CheckOwn()) > 0 {
			return
		}
		written, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%q is valid and cannot be written: %v", text, err)
		}
		again, err := ParseDefinition(written)
		if err != nil || len(again.CheckOwn()) > 0 {
			t.Fatalf("%q is valid, but not as written: %q: %v, %v", text, written, err, again.CheckOwn())
		}
		if strings.Contains(string(written), "\x00") {
			t.Fatalf("%q", written)
		}
	})
}

// TestReleasedDefinitionForm holds the form in which own definitions are kept.
func TestReleasedDefinitionForm(t *testing.T) {
	d := own(t, `{"id":"mine","version":3,"name":"Mine","category":"Shop","description":"d","environments":["fullos"],"interruption":"run-again","options":[
		{"name":"A","label":"The A","type":"text","required":true,"rule":{"pattern":"a+","longest":9},"help":"h","secret":true},
		{"name":"B","type":"integer","default":5,"rule":{"min":1,"max":9},"unit":"seconds"},{"name":"C","type":"choice","rule":{"choices":["x","y"]}},
		{"name":"D","type":"boolean"},{"name":"E","type":"text","secretIf":"D"},{"name":"F","type":"content","purpose":"application"}],
		"script":{"interpreter":"/bin/bash -e","content":"tool:2","file":"run.sh"}}`)
	if problems := d.CheckOwn(); len(problems) > 0 {
		t.Fatal(problems)
	}
	now, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "definition-format-1.json")
	if *update {
		if err := os.WriteFile(path, append(now, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	released, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseDefinition(released); err != nil || !bytes.Equal(bytes.TrimSpace(released), now) || !reflect.DeepEqual(again, d) {
		t.Errorf("the form is not the released one any more (%v):\n%s", err, now)
	}
}
