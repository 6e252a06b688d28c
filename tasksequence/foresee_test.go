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
	for id, environments := range map[string][]string{"pe": {LinuxPE}, "os": {FullOS}, "win": {WinPE}, "lin": {FullOS}, "ntos": {FullOS}, "prepare-operating-system": {LinuxPE}, "format-disk": {LinuxPE}} {
		if !slices.ContainsFunc(all, func(d Definition) bool { return d.ID == id }) {
			d := Definition{Format: Format, ID: id, Version: 1, Name: "The " + id, Environments: environments, Executor: id}
			switch id {
			case "lin":
				d.Systems = onlyLinux()
			case "ntos":
				d.Systems = onlyWindows()
			}
			all = append(all, d)
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
		case "ntfs", "own":
			more += `,"definition":"format-disk","settings":` + map[string]string{"ntfs": `{"Layout":"windows"}`, "own": `{"Layout":"custom","Partitions":"esp 500MiB\nwindows rest"}`}[name]
		case "apply":
			more += `,"definition":"apply-operating-system","settings":{"OperatingSystem":"os"}`
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

		"format prepare disk lin":          "",
		"format prepare disk ntos":         "error ntose",
		"ntfs apply prepare disk ntos":     "",
		"ntfs apply prepare disk lin":      "error linf",
		"own apply prepare disk lin":       "error linf",
		"apply prepare disk lin":           "", // an image that brings its own partitions may hold either
		"apply prepare disk ntos lin":      "error linf",
		"apply prepare disk ntos? lin":     "warning linf",
		"ntfs prepare disk os image pe":    "",
		"ntfs prepare disk image format %": "",
		"format prepare disk lin? ntos":    "error ntosf",
		"format? ntfs? prepare disk ntos":  "warning ntosf",
		"format prepare disk [ ntos! ] os": "warning g",
	} {
		t.Run(short, func(t *testing.T) {
			s := parse(t, sequenceOf(nodesOf(short)))
			doc, err := Pin(s, Sources{Catalogue: placesCatalogue(t), Content: anyContent})
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

// anyContent has every item.
func anyContent(ref Reference, purpose string) (Content, error) {
	return Content{ID: ref.ID, Version: 1, Name: ref.ID, Purpose: purpose}, nil
}

// A sequence of Linux takes no step that works in Windows only, and the other way round,
// wherever it begins.
func TestAnInstalledWindowsIsNoLinux(t *testing.T) {
	from := Sources{Catalogue: placesCatalogue(t), Content: anyContent}
	const remedy = "Remove it from this task sequence, or give it a condition over _System."
	for short, want := range map[string]string{
		"lin": "", "ntos": "", // begins in the one or in the other
		"lin ntos":                "step ntosc (ntosc): definition: The ntos can only run in fullos (Windows), and here the sequence is in fullos (Linux). " + remedy,
		"win ntos":                "step ntosc (ntosc): definition: The ntos can only run in fullos (Windows), and here the sequence is in winpe. Put Prepare operating system and a Reboot from the disk before it, or choose where the step runs.",
		"win disk ntos":           "",
		"win apply disk lin":      "step line (line): definition: The lin can only run in fullos (Linux), and here the sequence is in fullos (Windows). " + remedy,
		"win disk ntos image win": "", // back to the boot image of which it began
		"win disk ntos image pe":  "step pef (pef): definition: The pe can only run in linuxpe, and here the sequence is in winpe. Put a Reboot from the boot image before it, or choose where the step runs.",
	} {
		if got := Validate(parse(t, sequenceOf(nodesOf(short))), from).Error(); got != want {
			t.Errorf("%s: got %q", short, got)
		}
	}
}

func TestWhereTheRunIsDecidesWhetherAStepRuns(t *testing.T) {
	doc, err := Pin(parse(t, sequenceOf(nodesOf("ntos"))), Sources{Catalogue: placesCatalogue(t)})
	if err != nil {
		t.Fatal(err)
	}
	for system, runs := range map[string]bool{"": true, Windows: true, Linux: false} {
		vars := NewVariables()
		for name, text := range map[string]string{VariableEnvironment: FullOS, VariableSystem: system} {
			if err := vars.SetSystem(name, Value{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		r := newRun(t, doc, vars)
		plan, err := doc.Plan()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Next().(Execute); ok != runs || (len(plan.ForeseeOn(FullOS, system, nil)) == 0) != runs {
			t.Errorf("in %q: %+v", system, r.Next())
		}
	}
}

func TestConditionsOnTheEnvironmentAreForeseen(t *testing.T) {
	for text, want := range map[string]verdict{
		`{"variable":"_System","equals":"linux"}`:                                                                   always,
		`{"variable":"_system","equals":"windows"}`:                                                                 never,
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
		if got := condition(t, text).foresee(startingPoint(LinuxPE, "")); got != want {
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
	lacks := func(d Definition, _ *Node) string {
		if d.ID == Reboot || d.ID == PrepareOperatingSystem {
			return ""
		}
		return "the step " + d.Name
	}
	const remedy = "The agent is older than the appliance: build the boot image again, make media again, and start the device from it."
	got := plan.Foresee(LinuxPE, lacks)
	want := []string{"step peb (peb): definition: the agent on this device does not know the step The pe. " + remedy,
		// Prepare operating system puts that very agent into the installed system.
		"step ose (ose): definition: the agent on this device does not know the step The os. " + remedy}
	if len(got) != 2 || got[0].Warning || got[1].Warning || got[0].String() != want[0] || got[1].String() != want[1] {
		t.Errorf("got %v", got)
	}
	// Without it, or should it be left out, another agent may go on there.
	for _, nodes := range []string{"disk os", "prepare? disk os"} {
		doc, err := Pin(parse(t, sequenceOf(nodesOf(nodes))), Sources{Catalogue: placesCatalogue(t)})
		if err != nil {
			t.Fatal(err)
		}
		if plan, err = doc.Plan(); err != nil {
			t.Fatal(err)
		}
		for _, p := range plan.Foresee(LinuxPE, lacks) {
			if strings.Contains(p.Detail, "does not know") {
				t.Errorf("%s: %v", nodes, p)
			}
		}
	}
}

// From the Linux boot image some steps can do nothing with a Windows on the disk.
func TestStepsThatNeedALinuxOnTheDisk(t *testing.T) {
	from := Sources{Catalogue: placesCatalogue(t), Content: anyContent}
	const wrong = "Prepare for capture works on a Linux on the target disk, and here that is laid out for Windows"
	for short, refused := range map[string]bool{
		"ntfs prepare-for-capture":   true,
		"own prepare-for-capture":    true,
		"format prepare-for-capture": false,
		"prepare-for-capture":        false,
		"ntfs? prepare-for-capture":  false,
		"ntfs prepare-for-capture!":  false,
		"ntfs apply inject-drivers configure-operating-system enable-administrator-account prepare disk": false,
	} {
		err := Validate(parse(t, sequenceOf(nodesOf(short))), from).Error()
		if refused && !strings.Contains(err, wrong) || !refused && err != "" {
			t.Errorf("%s: %q", short, err)
		}
	}
}
