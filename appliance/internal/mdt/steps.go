package mdt

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ts "slipway/tasksequence"
)

// stepWork is one step of a task sequence on its way.
type stepWork struct {
	w    *walker
	e    *element
	vars map[string]*element // of its defaultVarList, by name and property, folded
	node ts.Node
	type_,
	action string
	after []ts.Node // what follows the step
}

// verdict is what becomes of a step.
type verdict struct {
	outcome Outcome
	detail  string
	needed  bool // a step of Slipway does it; false: none is needed, or none can
	lost    bool // something is missing now: a placeholder tells it
}

func does(outcome Outcome, detail string) verdict {
	return verdict{outcome: outcome, detail: detail, needed: true}
}
func needless(why string) verdict {
	return verdict{outcome: Changed, detail: "no step is needed: " + why}
}
func lost(why string) verdict { return verdict{outcome: Left, detail: why, lost: true} }

var scriptInAction = regexp.MustCompile(`(?i)%SCRIPTROOT%\\([A-Za-z0-9_.-]+\.wsf)`)

// step carries a step over; what must come with it follows it.
func (w *walker) step(e *element) []ts.Node {
	s := &stepWork{w: w, e: e, vars: map[string]*element{}, type_: e.attr("type"), action: e.value("action")}
	for _, list := range e.all("defaultVarList") {
		list.set(Carried, "settings of the step")
		for _, v := range list.all("variable") {
			s.vars[strings.ToLower(v.attr("property"))] = v
			s.vars[strings.ToLower(v.attr("name"))] = v
		}
	}
	var ok bool
	s.node, ok = w.frame(e)
	v := s.carry()
	if !v.needed {
		e.takeAttr("name", v.outcome, v.detail)
		for _, a := range e.attrs {
			a.mark = mark{outcome: v.outcome, detail: v.detail}
		}
		e.deep(v.outcome, v.detail)
		for _, c := range e.children {
			forget(c)
		}
		if v.lost {
			return append([]ts.Node{placeholder("", s.node.Name, s.node.Description, v.detail+". "+s.told())}, s.after...)
		}
		return s.after
	}
	define, _ := w.im.catalogue.Find(s.node.Definition, 0)
	possible := define.Environments
	if s.node.IsGroup() {
		possible = []string{ts.LinuxPE, ts.WinPE, ts.FullOS}
	}
	s.node.Environments = w.environments(e, possible)
	s.success(define)
	e.takeAttr("type", v.outcome, v.detail)
	if s.node.Definition != ts.RunCommandLine {
		e.takeAttr("startIn", Left, "Slipway's step has no such setting")
	}
	s.unused()
	e.set(v.outcome, v.detail)
	if !ok {
		e.set(Changed, v.detail+"; switched off: its condition was not carried over")
	}
	if s.action != "" && e.first("action").mark.outcome == "" {
		e.take("action", Changed, "the step does it itself")
	} else if e.first("action") != nil && e.first("action").mark.outcome == "" {
		e.take("action", Carried, "nothing")
	}
	return append([]ts.Node{s.node}, s.after...)
}

// unused marks the settings that no step takes.
func (s *stepWork) unused() {
	for _, list := range s.e.all("defaultVarList") {
		for _, v := range list.all("variable") {
			switch {
			case v.mark.outcome != "":
			case v.text == "":
				v.deep(Left, "it has no value")
			default:
				v.deep(Left, "Slipway's step has no such setting")
			}
		}
	}
}

// told are the settings of a step for people, without secrets.
func (s *stepWork) told() string {
	parts := []string{"In MDT: " + cmp.Or(s.type_, "a step without a type")}
	if s.action != "" {
		parts = append(parts, "runs "+s.action)
	}
	for _, list := range s.e.all("defaultVarList") {
		for _, v := range list.all("variable") {
			name := cmp.Or(v.attr("property"), v.attr("name"))
			if v.text != "" && !isSecret(name) && !secretBelow(v) {
				parts = append(parts, name+"="+v.text)
			}
		}
	}
	return ts.NewMasker(s.w.im.secrets).Mask(oneLine(strings.Join(parts, "; ")))
}

// take returns a setting and marks it.
func (s *stepWork) take(outcome Outcome, detail string, names ...string) string {
	for _, name := range names {
		if v := s.vars[strings.ToLower(name)]; v != nil {
			v.deep(outcome, detail)
			return v.text
		}
	}
	return ""
}

// success carries the success codes over.
func (s *stepWork) success(define ts.Definition) {
	text := s.e.attr("successCodeList")
	var codes []int
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(word)
		if err != nil {
			s.e.takeAttr("successCodeList", Left, "it is not a list of numbers")
			return
		}
		codes = append(codes, n)
	}
	if define.Executor == ts.ExecutorNone || len(codes) == 0 || slices.Equal(codes, []int{0, 3010}) && s.node.Definition != ts.RunCommandLine && s.node.Definition != ts.RunPowerShellScript {
		s.e.takeAttr("successCodeList", Carried, "the step's own success codes")
		return
	}
	if _, both := s.node.Settings["SuccessCodes"]; both {
		s.e.takeAttr("successCodeList", Changed, "the codes in the step's settings are taken")
		return
	}
	s.node.SuccessCodes = codes
	s.e.takeAttr("successCodeList", Carried, "success codes")
}

func (s *stepWork) is(definition string, pairs ...any) {
	s.node.Definition, s.node.Settings = definition, settings(pairs...)
}

// carry finds what the step does: by its type, or by the script of MDT that it runs.
func (s *stepWork) carry() verdict {
	folded := strings.ToLower(s.type_)
	if handle := byType[folded]; handle != nil {
		return handle(s)
	}
	if m := scriptInAction.FindStringSubmatch(s.action); m != nil {
		if v, ok := s.byScript(strings.ToLower(strings.TrimSuffix(strings.ToLower(m[1]), ".wsf"))); ok {
			return v
		}
	}
	if folded == "" || folded == "sms_tasksequence_runcommandlineaction" {
		return s.command()
	}
	return lost(fmt.Sprintf("%v: %s", errNoCounterpart, s.type_))
}

var byType map[string]func(*stepWork) verdict

func init() {
	byType = map[string]func(*stepWork) verdict{
		"sms_tasksequence_setvariableaction":         (*stepWork).variable,
		"sms_tasksequence_rebootaction":              (*stepWork).restart,
		"sms_tasksequence_partitiondiskaction":       (*stepWork).format,
		"sms_tasksequence_runpowershellscriptaction": (*stepWork).powershell,
		"sms_tasksequence_subtasksequence":           (*stepWork).child,
		"bdd_runpowershellaction":                    (*stepWork).powershell,
		"bdd_installapplication":                     (*stepWork).applications,
		"bdd_installos":                              (*stepWork).apply,
		"bdd_injectdrivers":                          (*stepWork).drivers,
		"bdd_gather":                                 (*stepWork).gather,
	}
}

// byScript knows the scripts of MDT. An unknown one of the share is a command.
func (s *stepWork) byScript(name string) (verdict, bool) {
	switch name {
	case "ztigather":
		return s.gather(), true
	case "ztinextphase":
		return s.nextPhase(), true
	case "ztidiskpart":
		return s.format(), true
	case "ztidrivers":
		return s.drivers(), true
	case "ztiapplications":
		return s.applications(), true
	case "ztisetvariable":
		return s.variable(), true
	case "ztipowershell":
		return s.powershell(), true
	case "ztiwindowsupdate":
		s.is(ts.InstallUpdates)
		return does(Carried, "step Install updates"), true
	case "ltisysprep":
		s.w.sysprep = true
		s.is(ts.PrepareForCapture)
		return does(Carried, "step Prepare for capture"), true
	case "ztibackup":
		if s.w.sysprep {
			s.is(ts.CaptureImage, "ImageType", ts.CaptureWIM, "Name", stepName("Captured by "+s.w.mdt, "Captured image"))
			return does(Changed, "step Capture image; the image becomes content of the appliance"), true
		}
	case "ltiapply":
		if strings.Contains(strings.ToLower(s.action), "/pe") {
			s.w.toImage = true
			return needless("the Reboot step behind it starts from the boot image"), true
		}
		return s.apply(), true
	}
	for known, why := range needlessScripts {
		if name == known {
			return needless(why), true
		}
	}
	if why, ok := lostScripts[name]; ok {
		return lost(why), true
	}
	if strings.HasPrefix(name, "zti") || strings.HasPrefix(name, "lti") {
		return lost(fmt.Sprintf("%v: MDT's own script %s", errNoCounterpart, name)), true
	}
	return verdict{}, false
}

var needlessScripts = map[string]string{
	"ztiwinre":       "Apply operating system fills the recovery partition",
	"zticonfigure":   "Apply operating system and Configure operating system read the variables themselves",
	"lticopyscripts": "Prepare operating system puts the agent into the system",
	"lticleanup":     "the agent removes itself",
	"ztidomainjoin":  "the domain is joined from the answer file, or by Offline domain join",
	"ztitatoo":       "the appliance keeps the record of the deployment",
	"zticopylogs":    "the agent sends its log to the appliance while it works",
}

var lostScripts = map[string]string{
	"ztivalidate":             "no step checks memory, processor and disk first; use conditions over Memory and ProcessorSpeed",
	"ztibioscheck":            "no step knows bad firmware; use a condition over BIOSVersion",
	"ztiuserstate":            "no step keeps files and settings of users",
	"ztiuserstatecapture":     "no step keeps files and settings of users",
	"ztipatches":              "no step adds packages to an image offline; run Add-WindowsPackage with the content item of the package",
	"ztibde":                  "no step switches BitLocker on; run Enable-BitLocker",
	"ztidisablebdeprotectors": "no step suspends BitLocker; run Suspend-BitLocker",
	"ztiosrole":               "no step adds roles and features; run Install-WindowsFeature or Enable-WindowsOptionalFeature",
	"ztiosrolesps":            "no step adds roles and features; run Install-WindowsFeature or Enable-WindowsOptionalFeature",
	"ztiapplygpopack":         "no step applies a local policy pack",
	"ztinicconfig":            "no step sets fixed addresses",
	"ztigroups":               "no step keeps members of local groups",
	"ztibackup":               "no step backs a machine up before it is installed anew",
	"ltisuspend":              "pause the deployment on the appliance: slipway deployment pause",
	"ztilangpacksonline":      "no step adds language packs; run the command with the content item of the pack",
}
