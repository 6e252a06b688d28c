package tasksequence

import (
	"strings"
	"testing"
)

func TestRestartsThatPutWindowsPEOntoTheDisk(t *testing.T) {
	image := func(id, from, more string) string {
		settings := `"RebootRequested":"image"`
		if from != "" {
			settings += `,"BootImageFrom":"` + from + `"`
		}
		return `{"id":"` + id + `","name":"` + id + `","definition":"reboot","settings":{` + settings + `}` + more + `}`
	}
	const command = `{"id":"c","name":"C","definition":"run-command-line","settings":{"Command":"ver"}}`
	const install = `{"id":"f","name":"F","definition":"format-disk","settings":{"Layout":"windows"}},{"id":"p","name":"P","definition":"prepare-operating-system"},{"id":"d","name":"D","definition":"reboot","settings":{"RebootRequested":"disk"}}`
	for _, c := range []struct{ name, steps, want, pe string }{
		{"as it is", command + "," + image("a", "", ""), "a", ""},
		{"from the disk", image("a", "disk", ""), "a", ""},
		{"from the network", image("a", "network", ""), "", ""},
		{"perhaps", image("a", "", `,"condition":{"variable":"Model","exists":true}`), "warning a", ""},
		{"passed over", image("a", "", `,"continueOnError":true`), "warning a", ""},
		{"not in an installed system", image("a", "", `,"environments":["winpe"]`), "", ""},
		{"of a variable", `{"id":"a","name":"A","definition":"reboot","settings":{"RebootRequested":"%Where%"}}`, "warning a", ""},
		{"again", image("a", "", "") + "," + install + "," + image("b", "", ""), "a b", ""},
		{"after it", image("a", "", "") + "," + `{"id":"l","name":"L","definition":"wipe-disk"}`, "a", "Wipe disk can only run in linuxpe, and here the sequence is in winpe"},
	} {
		s, err := ParseSequence([]byte(`{"id":"s","name":"S","steps":[` + c.steps + `]}`))
		if err != nil {
			t.Fatal(c.name, err)
		}
		doc, err := Pin(s, Sources{Catalogue: BuiltinCatalogue()})
		if err != nil {
			t.Fatal(c.name, err)
		}
		plan, err := doc.Plan()
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []string
		for _, p := range plan.ForeseeStaging("there is none") {
			if p.Warning {
				got = append(got, "warning")
			}
			if got = append(got, p.Step); !strings.Contains(p.Detail, "there is none") || !strings.Contains(p.Remedy, "network") {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
		if text := strings.Join(got, " "); text != c.want || plan.Stages() != (c.want != "") {
			t.Errorf("%s: got %q, stages: %t", c.name, text, plan.Stages())
		}
		if c.pe != "" {
			if all := plan.ForeseeOn(FullOS, Windows, nil); len(all) != 1 || !strings.Contains(all[0].Detail, c.pe) {
				t.Errorf("%s: what comes after is foreseen as %v", c.name, all)
			}
		}
	}
}

// A task sequence that was pinned before there was the option restarts from the network,
// as it did.
func TestARebootOfBeforeStagesNothing(t *testing.T) {
	old, _ := BuiltinCatalogue().Find(Reboot, 0)
	old.Options = append(old.Options[:1:1], old.Options[2:]...)
	doc := &Document{Format: Format, Definitions: map[string]Definition{old.Key(): old}, Sequence: Sequence{Format: Format, Steps: []Node{{ID: "a", Name: "A", Definition: Reboot, DefinitionVersion: old.Version}}}}
	plan, err := doc.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if _, there := plan.Nodes[0].Define.Option(optionBootImageFrom); there {
		t.Fatal("the document has the option")
	}
	if plan.Stages() {
		t.Error("Windows PE would be put onto the disk")
	}
}
