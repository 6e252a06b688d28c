package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"slipway/tasksequence"
)

func oneStep(head, command string) string {
	return fmt.Sprintf(`{%s"name":"One","steps":[{"name":"Run it","definition":"run-command-line","settings":{"Command":%q}}]}`, head, command)
}

func (b *bench) importing(text string) (string, error) {
	s, err := b.library.Import(b.t.Context(), boss, []byte(text))
	return fmt.Sprintf("%s:%d", s.ID, s.Version), err
}

func (b *bench) imported(text string) string {
	b.t.Helper()
	ref, err := b.importing(text)
	b.check(err)
	return ref
}

func TestVersionsOfImports(t *testing.T) {
	b := newBench(t)
	b.expect("given id", b.imported(oneStep(`"id":"x",`, "1")), "x:1")
	b.expect("same content", b.imported(oneStep(`"id":"x",`, "1")), "x:1")
	b.expect("other content", b.imported(oneStep(`"id":"x",`, "2")), "x:2")
	b.expect("given version", b.imported(oneStep(`"id":"x","version":7,`, "3")), "x:7")
	b.expect("the next one", b.imported(oneStep(`"id":"x",`, "4")), "x:8")
	b.expect("same version, same content", b.imported(oneStep(`"id":"x","version":7,`, "3")), "x:7")
	_, err := b.importing(oneStep(`"id":"x","version":7,`, "changed"))
	b.expectError("change of an active version", err, ErrImmutable)
	b.expect("retired", b.imported(oneStep(`"id":"x","version":7,"status":"deprecated",`, "3")), "x:7")
	_, err = b.importing(oneStep(`"id":"x","version":7,"status":"development",`, "3"))
	b.expectError("unpublishing", err, ErrImmutable)

	b.expect("a draft", b.imported(oneStep(`"id":"d","version":1,"status":"development",`, "1")), "d:1")
	b.expect("a changed draft", b.imported(oneStep(`"id":"d","version":1,"status":"development",`, "2")), "d:1")
	b.expect("published", b.imported(oneStep(`"id":"d","version":1,`, "2")), "d:1")
	_, err = b.importing(oneStep(`"id":"d","version":1,"status":"development",`, "3"))
	b.expectError("change after publishing", err, ErrImmutable)

	fresh := b.imported(oneStep("", "new"))
	if len(fresh) != 36+2 || !strings.HasSuffix(fresh, ":1") {
		t.Errorf("without an id: %s", fresh)
	}
	b.expect("again without an id", b.imported(oneStep("", "new")), fresh)
	all, err := b.library.List()
	b.check(err)
	b.expect("versions in the library", len(all), 6)
	newest, err := b.library.Get("x", 0)
	b.check(err)
	b.expect("newest", newest.Version, 8)
	_, err = b.library.Get("x", 3)
	b.expectError("no such version", err, ErrNotFound)
	_, err = b.library.Get("nobody", 0)
	b.expectError("no such sequence", err, ErrNotFound)
}

func TestExportsImportUnchanged(t *testing.T) {
	b := newBench(t)
	b.check(b.library.EnsureSample(t.Context()))
	odd := `{"id":"odd","version":1,"name":"yes","description":"a: b # c\nd\ttab","variables":{"A":"007","B":["1","true","~","null"],"C":"- x","D":" lead","E":"","F":"1e3","G":"2026-11-21","H":"\"quoted\"","I":"é\u2028"},
	 "steps":[{"id":"s","name":"no","condition":{"and":[{"variable":"A","equals":"007"},{"not":{"variable":"B","exists":true}},{"variable":"C","in":["x","1"]}]},
	 "definition":"run-command-line","settings":{"Command":"line 1\nline 2 \n  indented\n","SuccessCodes":[0,3010],"OutputSecret":true}},{"id":"g","name":"Empty group","steps":[]}]}`
	b.load(odd)
	for _, id := range []string{"odd", tasksequence.SampleID} {
		stored, err := b.library.Get(id, 1)
		b.check(err)
		for _, format := range []string{"json", "yaml"} {
			text, err := b.library.Export(id, 1, format)
			b.check(err)
			s, err := parse(text)
			if err != nil {
				t.Fatalf("%s of %s: %v\n%s", format, id, err, text)
			}
			again, err := b.library.toRecord(s)
			b.check(err)
			if string(again.Body) != string(stored.Body) {
				t.Errorf("%s of %s differs:\n%s\n%s\n%s", format, id, stored.Body, again.Body, text)
			}
			b.expect("imported again", b.imported(string(text)), id+":1")
		}
	}
	_, err := b.library.Export("odd", 1, "xml")
	b.expectField("another format", err, "format")
}

func TestHandwrittenYAML(t *testing.T) {
	b := newBench(t)
	ref := b.imported(`
# A sequence as people write it.
name: Install something
variables:
  Count: 007
  Flag: true
  Ratio: 1.50
steps:
  - name: Say hello
    definition: run-command-line
    timeout: 60
    successCodes: [0, 3010]
    settings:
      Command: |
        echo one
        echo two
  - name: Only on Dell
    condition: {variable: Make, equals: Dell}
    steps:
      - {name: Restart, definition: reboot, settings: {RebootRequested: disk}}
`)
	id, _, _ := strings.Cut(ref, ":")
	stored, err := b.library.Get(id, 1)
	b.check(err)
	s, err := fromRecord(stored)
	b.check(err)
	b.expect("variables", words(s.Variables["Count"], s.Variables["Flag"], s.Variables["Ratio"]), "007 true 1.50")
	b.expect("ids", words(s.Steps[0].ID, s.Steps[1].ID, s.Steps[1].Steps[0].ID), "say-hello only-on-dell restart")
	b.expect("command", string(s.Steps[0].Settings["Command"]), `"echo one\necho two\n"`)
}

func TestBadImports(t *testing.T) {
	b := newBench(t)
	step := "steps:\n  - {name: a, definition: reboot}\n"
	for text, want := range map[string]string{
		"":                                     "empty",
		"name: x\n" + step + "q: 1":            "unknown member",
		"name: x\nname: y\n" + step:            "stands here twice",
		"a: [":                                 "neither valid JSON nor valid YAML",
		"name: &a x\ndescription: *a\n" + step: "anchors",
		"name: x\n---\nname: y\n":              "more than one",
		"[1, 2]":                               "list stands where an object",
		"name: x\nsteps:\n  - {name: a, definition: fly}":                                                     `no step definition "fly"`,
		`{"name":"x","steps":[{"name":"a","definition":"run-task-sequence","settings":{"Sequence":"none"}}]}`: "no such task sequence",
		"name: x\n" + strings.Repeat("a: ", 10_000):                                                           "valid YAML",
		"name: " + strings.Repeat("x", 2*tasksequence.MaxSequenceBytes):                                       "at most",
	} {
		_, err := b.importing(text)
		var problems tasksequence.Problems
		if !errors.As(err, &problems) || !strings.Contains(problems.Error(), want) {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
		if again := b.library.Validate([]byte(text)); again.Error() != problems.Error() {
			t.Errorf("%.60q: validate says %v", text, again)
		}
	}
	all, err := b.library.List()
	b.check(err)
	b.expect("sequences in the library", len(all), 0)
}

func TestASequenceTooLargeForTheState(t *testing.T) {
	b := newBench(t)
	var steps []string
	for range 20 {
		steps = append(steps, fmt.Sprintf(`{"name":"a","definition":"run-command-line","settings":{"Command":%q}}`, strings.Repeat("x", 60_000)))
	}
	_, err := b.importing(`{"name":"x","steps":[` + strings.Join(steps, ",") + `]}`)
	b.expectError("import", err, ErrTooLarge)
}

func TestTheSampleComesOnce(t *testing.T) {
	b := newBench(t)
	b.check(b.library.EnsureSample(t.Context()))
	b.check(b.library.EnsureSample(t.Context()))
	all, err := b.library.List()
	b.check(err)
	b.expect("library", words(len(all), all[0].ID, all[0].Name, all[0].Status), words(1, tasksequence.SampleID, "Hello from Slipway", "active"))
	choices, err := b.library.Choices(b.token)
	b.check(err)
	b.expect("choice", choices.TaskSequences[0].Name, "Hello from Slipway")

	other := newBench(t)
	other.load(twoSteps)
	other.check(other.library.EnsureSample(t.Context()))
	all, err = other.library.List()
	other.check(err)
	other.expect("a library in use", len(all), 1)
}

func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"name: x\nsteps: []\n", "{\"a\": 1}", "- a\n- [b, {c: d}]\n", "a: !!binary aGk=\n", "? [a]\n: b\n", "a: &x [*x]", "0x1F: .5\nb: 1_000", "\xff", "--- |\n text\n...\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		converted, err := fromYAML(text)
		if err != nil {
			return
		}
		back, err := toYAML(converted)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be written: %v", text, converted, err)
		}
		again, err := fromYAML(back)
		if err != nil || string(again) != string(converted) {
			t.Fatalf("%q\nfirst  %q\nsecond %q (%v)\nyaml   %q", text, converted, again, err, back)
		}
	})
}
