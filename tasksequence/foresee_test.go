package tasksequence

import (
	"slices"
	"strings"
	"testing"
)

// placesCatalogue has steps for one environment each, and those that lead elsewhere.
func placesCatalogue(t testing.TB) *Catalogue {
	t.Helper()
	all := Builtin()
	for id, environments := range map[string][]string{"pe": {LinuxPE}, "os": {FullOS}, "win": {WinPE}, "prepare-operating-system": {LinuxPE}, "format-disk": {LinuxPE}} {
		if !slices.ContainsFunc(all, func(d Definition) bool { return d.ID == id }) {
			all = append(all, Definition{Format: Format, ID: id, Version: 1, Name: "The " + id, Environments: environments, Executor: id})
		}
	}
	c, err := NewCatalogue(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// nodesOf writes steps shortly: "pe", "os?" (with a condition), "pe!" (continues on
// error), "disk", "image", "%" (a restart to where a variable says), "[" and "]".
func nodesOf(short string) string {
	const condition = `,"condition":{"variable":"X","exists":true}`
	var out []string
	group, count := "", 0
	for _, word := range strings.Fields(short) {
		name, more := strings.TrimRight(word, "?!"), ""
		if strings.Contains(word, "?") {
			more += condition
		}
		if strings.Contains(word, "!") {
			more += `,"continueOnError":true`
		}
		count++
		id := word + string(rune('a'+count))
		id = strings.NewReplacer("?", "", "!", "", "%", "v", "[", "g").Replace(id)
		switch name {
		case "[":
			group = `{"id":"` + id + `","name":"` + id + `"` + more + `,"steps":[`
			continue
		case "]":
			out[len(out)-1] += "]}"
			continue
		case "disk", "image", "%":
			if name == "%" {
				name = "%Target%"
			}
			more += `,"definition":"reboot","settings":{"RebootRequested":"` + name + `"}`
		case "prepare":
			more += `,"definition":"prepare-operating-system"`
		case "format":
			more += `,"definition":"format-disk"`
		default:
			more += `,"definition":"` + name + `"`
		}
		node := group + `{"id":"` + id + `","name":"` + id + `"` + more + `}`
		group = ""
		if n := len(out); n > 0 && strings.Count(out[n-1], "[") > strings.Count(out[n-1], "]") {
			out[n-1] += "," + node
		} else {
			out = append(out, node)
		}
	}
	return strings.Join(out, ",")
}

func TestWhereStepsWillRunIsForeseen(t *testing.T) {
	for short, want := range map[string]string{
		"pe pe":                                "",
		"pe os":                                "error osc",
		"pe os os":                             "error osc", // reported once
		"pe os?":                               "warning osc",
		"pe os!":                               "warning osc",
		"pe [? os pe ]":                        "warning g",
		"pe win":                               "error winc",
		"pe prepare disk os":                   "",
		"pe prepare disk os pe":                "error pef",
		"pe prepare disk os image pe":          "",
		"pe prepare image disk os":             "",
		"pe disk os":                           "warning diskc",
		"pe disk":                              "", // nothing follows
		"pe prepare disk image format disk os": "warning diskg",
		"prepare disk? os":                     "warning osd", // left in the boot image when the condition does not hold
		"prepare disk? pe":                     "warning ped",
		"prepare % os":                         "warning osd",
		"[ prepare disk ] os":                  "",
		"[? prepare disk ] os":                 "warning os",
		"pe! os? pe":                           "warning osc",
	} {
		t.Run(short, func(t *testing.T) {
			s := parse(t, sequenceOf(nodesOf(short)))
			doc, err := Pin(s, Sources{Catalogue: placesCatalogue(t)})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := doc.Plan()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range plan.Foresee(LinuxPE, nil) {
				kind := "error "
				if p.Warning {
					kind = "warning "
				}
				got = append(got, kind+p.Step)
				if p.Detail == "" || p.Remedy == "" {
					t.Errorf("without detail or remedy: %+v", p)
				}
			}
			if text := strings.Join(got, ", "); !strings.HasPrefix(text, want) || want == "" && text != "" || len(got) > 1 {
				t.Errorf("got %q, want %q", text, want)
			}
		})
	}
}

func TestASequenceThatCannotRunAnywhereIsRefused(t *testing.T) {
	from := Sources{Catalogue: placesCatalogue(t)}
	for short, want := range map[string]string{
		"os":              "", // begins in an installed system
		"os image pe":     "",
		"pe os":           "step osc (osc): definition: The os can only run in fullos, and here the sequence is in linuxpe. Put Prepare operating system and a Reboot from the disk before it, or choose where the step runs.",
		"prepare disk pe": "step ped (ped): definition: The pe can only run in linuxpe, and here the sequence is in fullos. Put a Reboot from the boot image before it, or choose where the step runs.",
	} {
		if got := Validate(parse(t, sequenceOf(nodesOf(short))), from).Error(); got != want {
			t.Errorf("%s: got %q", short, got)
		}
	}
}

func TestConditionsOnTheEnvironmentAreForeseen(t *testing.T) {
	for text, want := range map[string]verdict{
		`{"variable":"_environment","equals":"linuxpe"}`:                                                            always,
		`{"variable":"_Environment","equals":"fullos"}`:                                                             never,
		`{"variable":"_Environment","in":["fullos","winpe"]}`:                                                       never,
		`{"variable":"_Environment","equals":"%X%"}`:                                                                perhaps,
		`{"variable":"X","exists":true}`:                                                                            perhaps,
		`{"not":{"variable":"_Environment","equals":"fullos"}}`:                                                     always,
		`{"not":{"variable":"X","exists":true}}`:                                                                    perhaps,
		`{"and":[{"variable":"X","exists":true},{"variable":"_Environment","equals":"fullos"}]}`:                    never,
		`{"and":[{"variable":"X","exists":true},{"variable":"_Environment","equals":"linuxpe"}]}`:                   perhaps,
		`{"or":[{"variable":"X","exists":true},{"variable":"_Environment","equals":"linuxpe"}]}`:                    always,
		`{"or":[{"variable":"_Environment","equals":"fullos"},{"variable":"_Environment","matches":"^linux"}]}`:     always,
		`{"and":[{"not":{"variable":"_Environment","equals":"x"}},{"variable":"_Environment","contains":"linux"}]}`: always,
	} {
		if got := condition(t, text).foresee(LinuxPE); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestStepsThatTheAgentDoesNotKnowAreForeseen(t *testing.T) {
	doc, err := Pin(parse(t, sequenceOf(nodesOf("pe prepare disk os"))), Sources{Catalogue: placesCatalogue(t)})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := doc.Plan()
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Foresee(LinuxPE, func(d Definition) bool { return d.ID == Reboot || d.ID == PrepareOperatingSystem })
	if len(got) != 1 || got[0].Warning || got[0].String() != "step peb (peb): definition: the agent on this device cannot run The pe steps. Rebuild the boot image." {
		t.Errorf("got %v", got) // and not the step of the installed system, whose agent is another
	}
}
