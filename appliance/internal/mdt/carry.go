package mdt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	ts "slipway/tasksequence"
)

func (s *stepWork) gather() verdict {
	if file := s.take(Left, "only the file CustomSettings.ini is read", "RulesFile"); file != "" && !strings.EqualFold(path.Base(strings.ReplaceAll(file, `\`, "/")), "CustomSettings.ini") {
		return lost("the agent gathers facts itself; the rules of " + oneLine(file) + " were not carried over")
	}
	return needless("the agent gathers facts itself, and the rules run as the first step")
}

func (s *stepWork) nextPhase() verdict {
	if s.w.phase+1 >= len(phases) {
		return needless("there is no phase behind the last one")
	}
	s.w.phase++
	s.is(ts.SetVariable, "VariableName", "PHASE", "VariableValue", phases[s.w.phase])
	return does(Changed, "step that sets PHASE to "+phases[s.w.phase])
}

func (s *stepWork) variable() verdict {
	name := s.take(Carried, "variable", "VariableName")
	own, err := ownName(name)
	if err != nil {
		return lost(err.Error())
	}
	outcome, detail := nameDetail(name, own)
	value := ts.Value{Text: ownText(s.take(Carried, "value", "VariableValue")), Secret: isSecret(name)}
	value.Secret = value.Secret || s.w.im.holdsSecret(value.Text)
	if script(value.Text) {
		return lost("MDT would compute the value by VBScript: use Run PowerShell script")
	}
	made := setNode(s.node.Name, own, value, false)
	s.node.Definition, s.node.Settings = made.Definition, made.Settings
	return does(outcome, "step that sets the "+detail)
}

// restart goes where the sequence needs it: once a system is applied to the disk, unless
// it is to be captured. MDT's own target is the same in all steps.
func (s *stepWork) restart() verdict {
	target := ts.RebootImage
	if s.w.applied && !s.w.toImage {
		target = ts.RebootDisk
	}
	asked := s.take(Carried, "where it starts from", "SMSRebootTarget", "Target")
	switch {
	case strings.EqualFold(asked, "WinPE"):
		target = ts.RebootImage
	case strings.EqualFold(asked, "HD"):
		target = ts.RebootDisk
	}
	s.w.toImage = false
	s.is(ts.Reboot, "RebootRequested", target)
	if message := s.take(Carried, "message", "SMSRebootMessage", "Message"); message != "" {
		s.node.Settings["RebootMessage"] = quoted(ownText(bounded(message, 1000)))
	}
	if n, err := strconv.Atoi(s.take(Carried, "delay", "SMSRebootTimeout", "MessageTimeout")); err == nil && n > 0 && n <= 3600 {
		s.node.Settings["RebootDelay"] = quoted(strconv.Itoa(n))
	}
	return does(Changed, "step Reboot, from the "+target+": as the steps before it ask")
}

func quoted(text string) json.RawMessage {
	out, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return out
}

func (s *stepWork) format() verdict {
	disk := s.take(Carried, "number of the disk", "OSDDiskIndex", "DiskIndex")
	if disk == "" {
		disk = "0"
	}
	s.is(ts.FormatDisk, "DiskIndex", disk, "Layout", windowsLayout(s.w.im.catalogue))
	for _, v := range s.vars {
		if v.mark.outcome == "" {
			v.deep(Changed, "Format disk has its own layout for Windows")
		}
	}
	return does(Changed, "step Format disk with its own layout for Windows")
}

// windowsLayout is the value of Format disk's option Layout for Windows.
func windowsLayout(c *ts.Catalogue) string {
	define, _ := c.Find(ts.FormatDisk, 0)
	if o, ok := define.Option("Layout"); ok && o.Rule != nil {
		for _, choice := range o.Rule.Choices {
			if strings.HasPrefix(choice, "windows") {
				return choice
			}
		}
	}
	return "windows"
}

func (s *stepWork) drivers() verdict {
	for _, name := range []string{"DriverSelectionProfile", "DriverInjectionMode"} {
		s.take(Changed, "driver packs are found by the model", name)
	}
	s.is(ts.InjectDrivers)
	return does(Changed, "step Inject drivers; driver packs are found by the model")
}

// apply becomes Apply operating system, followed by the step that lets the sequence go
// on in the new system.
func (s *stepWork) apply() verdict {
	guid := fold(s.take(Carried, "operating system", "OSGUID"))
	system, ok := s.w.im.systems[guid]
	if !ok {
		return lost("OperatingSystems.xml has no such operating system, or its image is missing")
	}
	if !s.node.Disabled {
		s.w.applied, s.w.toImage = true, false
	}
	s.w.arch = cmp.Or(s.w.arch, system.architecture)
	s.is(ts.ApplyOperatingSystem, "OperatingSystem", system.key, "ImageIndex", system.index)
	detail := fmt.Sprintf("step Apply operating system with image %d of %q", system.index, s.w.im.item(system.key).Name)
	if option := unattendOption(s.w.im.catalogue); option != "" && s.w.unattend != "" {
		s.node.Settings[option] = quoted(s.w.unattend)
		detail += " and the answer file"
	}
	for _, name := range []string{"DestinationDisk", "DestinationPartition", "DestinationOSDriveLetter", "DestinationOSVariable", "DestinationOSRefresh", "DestinationOSInstallType"} {
		s.take(Changed, "the system goes where Format disk made room for it", name)
	}
	s.after = append(s.after, ts.Node{Name: "Prepare operating system", Disabled: s.node.Disabled, Condition: s.node.Condition, Description: "Added by the import from MDT: the task sequence goes on in the new system.", Definition: ts.PrepareOperatingSystem})
	return does(Changed, detail+"; Prepare operating system follows")
}

// unattendOption is the option of Apply operating system that takes an answer file.
func unattendOption(c *ts.Catalogue) string {
	define, _ := c.Find(ts.ApplyOperatingSystem, 0)
	for _, o := range define.Options {
		if o.Type == ts.TypeContent && strings.Contains(strings.ToLower(o.Name), "unattend") {
			return o.Name
		}
	}
	return ""
}

// applications installs one application and what it needs, or those of the variable.
func (s *stepWork) applications() verdict {
	guid := s.take(Carried, "application", "ApplicationGUID")
	codes := s.take(Carried, "success codes", "ApplicationSuccessCodes")
	var numbers []int
	for word := range strings.FieldsSeq(codes) {
		if n, err := strconv.Atoi(word); err == nil {
			numbers = append(numbers, n)
		}
	}
	more := func(n *ts.Node) {
		if len(numbers) > 0 && !slices.Equal(numbers, []int{0, 3010}) {
			n.SuccessCodes = numbers
		}
	}
	if guid == "" {
		s.is(ts.InstallMultipleApplications)
		more(&s.node)
		return does(Carried, "step Install multiple applications")
	}
	apps := s.w.im.order(guid, map[string]bool{})
	frame := s.node
	var nodes []ts.Node
	for _, a := range apps {
		n := ts.Node{Name: stepName(a.name, "Application"), Definition: ts.InstallApplication}
		switch {
		case a.key != "":
			n.Settings = settings("Application", a.key)
			more(&n)
		case a.command != "":
			n.Definition, n.Settings = ts.RunCommandLine, settings("Command", ownText(s.w.hidden(a.command)))
			more(&n)
		default:
			continue // a bundle, or one whose files are missing
		}
		nodes = append(nodes, n)
		if a.reboot {
			nodes = append(nodes, ts.Node{Name: "Restart behind " + stepName(a.name, "it"), Definition: ts.Reboot, Settings: settings("RebootRequested", ts.RebootDisk)})
		}
	}
	switch {
	case len(nodes) == 0:
		return lost("Applications.xml has no such application, or its files are missing")
	case len(nodes) == 1:
		nodes[0].Name, nodes[0].Description, nodes[0].Disabled, nodes[0].ContinueOnError, nodes[0].Condition = frame.Name, frame.Description, frame.Disabled, frame.ContinueOnError, frame.Condition
		s.node = nodes[0]
		return does(Carried, "step Install application")
	}
	frame.Steps = nodes
	s.node = frame
	return does(Changed, fmt.Sprintf("group of %d steps: what the application needs, and itself", len(nodes)))
}

// child runs another sequence of the share.
func (s *stepWork) child() verdict {
	id := s.take(Carried, "task sequence", "TaskSequenceID", "TsID", "TsName", "TsPackageID")
	own, ok := s.w.ids[fold(id)]
	if !ok {
		return lost(fmt.Sprintf("the share has no task sequence %q", id))
	}
	s.is(ts.RunTaskSequence, "Sequence", own+":1")
	return does(Carried, "step Run task sequence")
}
