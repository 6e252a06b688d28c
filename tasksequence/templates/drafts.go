package templates

import (
	"encoding/json"

	ts "slipway/tasksequence"
)

func drafts() []Template {
	return append([]Template{linuxBareMetal(), linuxBuildAndCapture(), chromeOSFlex(), igel(), wipeDisk()}, windowsDrafts()...)
}

func template(id, name, description string, nodes ...ts.Node) Template {
	return Template{ID: id, Name: name, Description: description,
		Sequence: ts.Sequence{Format: ts.Format, Status: ts.InDevelopment, Name: name, Description: description, Steps: nodes}}
}

// endsIn sets what the device does after its success. Systems in which the agent does
// not go on are restarted so: behind a Reboot step nobody would tell how it ended.
func (t Template) endsIn(action string) Template {
	t.Sequence.Variables = map[string]ts.Value{"FinishAction": {Text: action}}
	return t
}

func step(definition, name string, more ...func(*ts.Node)) ts.Node {
	n := ts.Node{ID: definition, Name: name, Definition: definition}
	for _, change := range more {
		change(&n)
	}
	return n
}

func group(id, name string, members ...ts.Node) ts.Node {
	return ts.Node{ID: id, Name: name, Steps: members}
}

func reboot(id, name, target string) ts.Node {
	return ts.Node{ID: id, Name: name, Definition: ts.Reboot, Settings: map[string]json.RawMessage{
		"RebootRequested": json.RawMessage(`"` + target + `"`)}}
}

// ifSet lets a step run only when a variable exists.
func ifSet(variable string) func(*ts.Node) {
	return func(n *ts.Node) {
		n.Condition = &ts.Condition{Variable: variable, Operator: ts.Exists, Operand: ts.Value{Text: "true"}}
	}
}

func tolerated(n *ts.Node) { n.ContinueOnError = true }

func linuxBareMetal() Template {
	return template("linux-bare-metal", "Linux bare metal",
		"Partitions the disk, applies a Linux operating system, makes it bootable and goes on in it: computer name, applications, updates.",
		group("install", "Install",
			step("format-disk", "Format disk"),
			step("apply-operating-system", "Apply operating system"),
			step("inject-drivers", "Inject drivers"),
			step("prepare-operating-system", "Prepare operating system"),
			reboot("restart", "Restart from the disk", ts.RebootDisk)),
		group("configure", "In the new system",
			step("configure-operating-system", "Configure operating system"),
			step("install-multiple-applications", "Install applications", ifSet("Applications")),
			step("install-updates", "Install updates", tolerated)))
}

func linuxBuildAndCapture() Template {
	return template("linux-build-and-capture", "Linux build and capture",
		"Builds a reference Linux on a machine, cleans it of what belongs to one machine only, and captures it as new content.",
		group("install", "Install",
			step("format-disk", "Format disk"),
			step("apply-operating-system", "Apply operating system"),
			step("prepare-operating-system", "Prepare operating system"),
			reboot("restart", "Restart from the disk", ts.RebootDisk)),
		group("build", "In the new system",
			step("install-multiple-applications", "Install applications", ifSet("Applications")),
			step("install-updates", "Install updates"),
			step("prepare-for-capture", "Prepare for capture"),
			reboot("back", "Restart from the boot image", ts.RebootImage)),
		group("capture", "Capture",
			step("capture-image", "Capture image")))
}

func chromeOSFlex() Template {
	return template("chromeos-flex", "ChromeOS Flex",
		"Writes a ChromeOS Flex image to the disk and restarts into it.",
		step("apply-chromeos-flex", "Apply ChromeOS Flex")).endsIn("reboot")
}

func igel() Template {
	return template("igel-12", "IGEL 12",
		"Writes an IGEL OS 12 image to the disk and restarts into it.",
		step("apply-igel-image", "Apply IGEL image")).endsIn("reboot")
}

func wipeDisk() Template {
	return template("wipe-disk", "Wipe disk",
		"Erases the disk in the way that fits its kind and proves it by reading back.",
		step("wipe-disk", "Wipe disk"))
}
