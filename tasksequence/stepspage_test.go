package tasksequence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStepsPage holds docs/steps.md to the definitions. After a change of a
// definition: go test ./tasksequence -run StepsPage -update
func TestStepsPage(t *testing.T) {
	path := filepath.Join("..", "docs", "steps.md")
	page := stepsPage()
	if *update {
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, page) {
		t.Error("docs/steps.md does not tell what the step definitions say: go test ./tasksequence -run StepsPage -update")
	}
}

const stepsHead = `# The steps of task sequences

This page is made from the step definitions themselves; ` + "`slipway step list`" + ` and the console's editor show the same.
A step runs only in the environments of its row; anywhere else validation refuses it, before anything is started.

- **linuxpe**: the Linux boot image.
- **winpe**: a WinPE boot image.
- **fullos**: an installed Linux or Windows in which the agent runs, after *Prepare operating system* and a restart from the disk, or started there.
  Which of them it is, validation tells by the steps before: the layout of *Format disk*, and where *Apply operating system* runs. Where that says
  nothing, the first step that works in one of them decides. Conditions may ask for the variable ` + "`_System`" + `: linux or windows.

`

const stepsTail = `## Steps of your own

` + "`slipway step import FILE`" + ` takes a definition of your own, JSON or YAML. It runs a script: a text that stands in it, or a file of a
content item. From then on the step is checked, shown and pinned like the built-in ones.

` + "```yaml" + `
id: add-printer
name: Add printer
description: Adds a print queue.
environments: [fullos]
systems: [linux]               # of fullos; without it the script runs in an installed Windows too
interruption: run-again        # harmless to do twice; without it a person is asked after a power loss
options:
  - {name: Queue, type: text, required: true, help: The name of the queue.}
  - {name: Pin, type: text, secret: true}
  - {name: Driver, type: content, purpose: other}
script:
  interpreter: /bin/sh -e      # the default is /bin/sh
  text: |
    lpadmin -p "$SLIPWAY_OPT_QUEUE" -P "$SLIPWAY_OPT_DRIVER/printer.ppd"
    echo "Printer=$SLIPWAY_OPT_QUEUE" >> "$SLIPWAY_VARIABLES"
` + "```" + `

The script gets each option as ` + "`SLIPWAY_OPT_<NAME>`" + ` (of content the folder, of a list one item on each line), each variable as
` + "`SLIPWAY_<NAME>`" + `, names in upper case with ` + "`-`" + ` and ` + "`.`" + ` as ` + "`_`" + `. Lines ` + "`NAME=value`" + ` that it writes to the file
` + "`$SLIPWAY_VARIABLES`" + ` set variables. Instead of ` + "`text`" + `, ` + "`content: ID`" + ` and ` + "`file: path/in/the/content`" + ` name a script in a content item; it starts in
that folder. Options named ` + "`Timeout`" + ` (integer, seconds) and ` + "`SuccessCodes`" + ` (integers) mean what they do in the built-in steps.
A version never changes: importing without a version number makes the next one, and ` + "`slipway step export ID[:VERSION]`" + ` gives it back.
Types of options: ` + "%s" + `.
`

func stepsPage() []byte {
	var out bytes.Buffer
	out.WriteString(stepsHead)
	columns := []struct{ name, environment, system string }{{LinuxPE, LinuxPE, ""}, {WinPE, WinPE, ""}, {"fullos: Linux", FullOS, Linux}, {"fullos: Windows", FullOS, Windows}}
	out.WriteString("| step | id |")
	for _, c := range columns {
		fmt.Fprintf(&out, " %s |", c.name)
	}
	fmt.Fprintf(&out, "\n|---|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, d := range Builtin() {
		fmt.Fprintf(&out, "| [%s](#%s) | `%s` |", d.Name, slug(d.Name), d.ID)
		for _, c := range columns {
			mark := ""
			if d.RunsIn(c.environment, c.system) {
				mark = "yes"
			}
			fmt.Fprintf(&out, " %s |", mark)
		}
		out.WriteByte('\n')
	}
	for _, d := range Builtin() {
		stepSection(&out, d)
	}
	var types []string
	for _, t := range optionTypes() {
		types = append(types, "`"+string(t)+"`")
	}
	out.WriteByte('\n')
	fmt.Fprintf(&out, stepsTail, strings.Join(types, ", "))
	return out.Bytes()
}

func stepSection(out *bytes.Buffer, d Definition) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n", d.Name, d.Description)
	after := map[Interruption]string{RunAgain: "it runs again", VerifyFirst: "it looks first what is done already", AskFirst: "a person is asked"}[d.Interruption]
	fmt.Fprintf(out, "Runs in %s. After an interruption %s.\n", d.Where(), after)
	if len(d.Options) == 0 {
		out.WriteString("It has no options.\n")
		return
	}
	out.WriteString("\n| option | kind | default | meaning |\n|---|---|---|---|\n")
	for _, o := range d.Options {
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", o.Name, cell(optionKind(o)), cell(optionDefault(o)), cell(o.Help))
	}
}

func optionKind(o Option) string {
	kind := string(o.Type)
	if o.Rule != nil && len(o.Rule.Choices) > 0 {
		kind = strings.Join(o.Rule.Choices, ", ")
	}
	if o.Rule != nil && o.Rule.Min != nil && o.Rule.Max != nil {
		kind += fmt.Sprintf(", %d to %d", *o.Rule.Min, *o.Rule.Max)
	}
	if o.Unit != "" {
		kind += " " + o.Unit
	}
	if o.Purpose != "" {
		kind += " (" + o.Purpose + ")"
	}
	if o.Secret {
		kind += ", secret"
	}
	if o.Required {
		kind += ", needed"
	}
	return kind
}

func optionDefault(o Option) string {
	var value Value
	if len(o.Default) == 0 || json.Unmarshal(o.Default, &value) != nil || value.empty() {
		return ""
	}
	return "`" + value.String() + "`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}
