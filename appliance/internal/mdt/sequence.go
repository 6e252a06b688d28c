package mdt

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

var notInID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// SequenceID is the id in Slipway of a task sequence of the share.
func SequenceID(mdt string) string {
	id := strings.Trim(notInID.ReplaceAllString(mdt, "-"), "-")
	return bounded("mdt-"+strings.ToLower(id), ts.MaxIDLength)
}

// sequencesOf reads the task sequences of the share, each from its own folder.
func (im *importer) sequencesOf(entries []*element) {
	ids := map[string]string{}
	for _, e := range entries {
		ids[fold(e.value("ID"))] = SequenceID(e.value("ID"))
	}
	for _, e := range entries {
		common(e)
		id, name := e.value("ID"), e.value("Name")
		root := (*element)(nil)
		if id != "" {
			root = im.tree("Control/" + id + "/ts.xml")
		}
		if root == nil || !strings.EqualFold(root.name, "sequence") {
			if root != nil {
				root.deep(Left, "it is not a task sequence of MDT")
			}
			e.deep(Left, "its ts.xml cannot be had")
			continue
		}
		own := SequenceID(id)
		e.set(Carried, "task sequence "+own)
		e.take("Name", Carried, "name")
		e.take("ID", Changed, "id "+own)
		e.take("Comments", Carried, "description")
		e.take("Version", Left, "Slipway counts versions itself")
		rest(e, "Slipway has no such field")
		im.sequence(Sequence{MDT: id, ID: own, Name: stepName(name, id)}, e.value("Comments"), root, ids)
	}
	im.sequences = im.childrenFirst()
	for i := range im.sequences {
		im.settle(&im.sequences[i], ts.Sources{Catalogue: im.catalogue, Content: im.content, Sequences: im.lookup})
	}
}

// childrenFirst orders the sequences so that those which others run come before them.
func (im *importer) childrenFirst() (ordered []Sequence) {
	placed := map[string]bool{}
	var place func(s Sequence)
	place = func(s Sequence) {
		if placed[s.ID] {
			return
		}
		placed[s.ID] = true
		var visit func(nodes []ts.Node)
		visit = func(nodes []ts.Node) {
			for i := range nodes {
				visit(nodes[i].Steps)
				id, _, _ := strings.Cut(strings.Trim(string(nodes[i].Settings["Sequence"]), `"`), ":")
				for _, other := range im.sequences {
					if other.ID == id {
						place(other)
					}
				}
			}
		}
		visit(s.Document.Steps)
		ordered = append(ordered, s)
	}
	for _, s := range im.sequences {
		place(s)
	}
	return ordered
}

// phases are MDT's, in their order: a step that goes to the next one becomes a step that
// sets the variable.
var phases = []string{"VALIDATION", "STATECAPTURE", "PREINSTALL", "INSTALL", "POSTINSTALL", "STATERESTORE"}

// walker carries one task sequence over.
type walker struct {
	im       *importer
	file     string
	mdt      string
	ids      map[string]string // task sequences of the share
	phase    int
	applied  bool // an operating system was applied
	sysprep  bool // the system is prepared for capture
	toImage  bool // the next restart leads to the boot image
	unattend string
	arch     string
	extra    map[string]ts.Value // variables of the sequence
}

func (im *importer) sequence(s Sequence, description string, root *element, ids map[string]string) {
	w := &walker{im: im, mdt: s.MDT, ids: ids, file: "Control/" + s.MDT, extra: map[string]ts.Value{}}
	clear(im.compared)
	w.unattend = im.unattendOf(s, w)
	root.set(Carried, "task sequence "+s.ID)
	root.takeAttr("name", Changed, "the name in TaskSequences.xml is taken")
	root.takeAttr("description", Changed, "the comments in TaskSequences.xml are taken")
	root.takeAttr("version", Carried, "version of MDT's format")
	nodes := w.members(root)
	var first []ts.Node
	if im.ruleBook != nil {
		first = append(first, ts.Node{ID: "mdt-rules", Name: "MDT rules", Definition: ts.RunTaskSequence, Settings: settings("Sequence", RulesID+":1")})
	}
	nodes = append(append(first, w.secretSteps()...), nodes...)
	if im.compared["phase"] || w.phase > 0 {
		w.extra["PHASE"] = ts.Value{Text: phases[0]}
	}
	if im.compared["tasksequenceid"] || im.byTaskSequence {
		w.extra["TaskSequenceID"] = ts.Value{Text: s.MDT}
	}
	if im.compared["deploymenttype"] {
		w.extra["DeploymentType"] = ts.Value{Text: "NEWCOMPUTER"}
	}
	s.Document = ts.Sequence{Format: ts.Format, ID: s.ID, Status: ts.InDevelopment, Name: s.Name, Description: bounded(description, ts.MaxDescription),
		Architecture: w.arch, Variables: w.extra, Steps: nodes}
	if len(w.extra) == 0 {
		s.Document.Variables = nil
	}
	ts.AssignIDs(&s.Document)
	im.sequences = append(im.sequences, s)
}

// lookup finds the rules, and the sequences that were carried over before.
func (im *importer) lookup(ref ts.Reference) (ts.Sequence, error) {
	if ref.ID == RulesID && im.ruleBook != nil {
		s := im.ruleBook.Document
		s.Version = 1
		return s, nil
	}
	for _, s := range im.sequences {
		if s.ID == ref.ID {
			found := s.Document
			found.Version = 1
			return found, nil
		}
	}
	return ts.Sequence{}, ts.ErrNoSequence
}

// members carries the groups and steps in an element over, in their order.
func (w *walker) members(e *element) []ts.Node {
	nodes := []ts.Node{}
	for _, c := range e.children {
		switch strings.ToLower(c.name) {
		case "group":
			nodes = append(nodes, w.group(c))
		case "step":
			nodes = append(nodes, w.step(c)...)
		case "globalvarlist":
			w.globals(c)
		case "condition": // of a group, read there
		case "action":
			if c.text == "" {
				c.set(Left, "groups do nothing by themselves")
			}
		case "referencelist":
			c.deep(Left, "a list for MDT itself")
		}
	}
	return nodes
}

// globals are the variables that a sequence begins with.
func (w *walker) globals(e *element) {
	e.set(Carried, "variables of the task sequence")
	for _, v := range e.all("variable") {
		name, value := v.attr("name"), v.text
		own, err := ownName(name)
		switch {
		case strings.EqualFold(name, "OSGUID") && w.im.systems[fold(value)].key != "":
			v.deep(Carried, "operating system of the steps that apply one")
		case value == "":
			v.deep(Left, "it has no value")
		case mechanics.MatchString(name):
			v.deep(Left, "it steers MDT's own scripts")
		case err != nil:
			v.deep(Left, err.Error())
		case isSecret(name):
			v.deep(Changed, "secret variable "+own)
			w.extra[own] = ts.Value{Text: ownText(value), Secret: true}
		default:
			v.deep(nameDetail(name, own))
			w.extra[own] = ts.Value{Text: ownText(value)}
		}
	}
}

// mechanics are variables that MDT's own scripts talk to each other with.
var mechanics = regexp.MustCompile(`(?i)^(OSGUID|Destination.*|ImageIndex|ImageFlags|ImageBuild|ImageLanguage.*|ImageProcessor.*|ImageMemory|ImageSize|ImagePath|SourcePath|InstallFromPath|OSDDiskpart.*|OSDTargetDrive.*|OSDPartition.*|OSDDisk.*|Volume.*|FileSystem.*|Type\d*|Bootable\d*|QuickFormat\d*|Size\d*|SizeUnits\d*|DiskType|DoNotCreateExtraPartition)$`)

// secretSteps set what is secret: defaults of a sequence are not.
func (w *walker) secretSteps() (nodes []ts.Node) {
	names := []string{}
	for name, value := range w.extra {
		if value.Secret {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		nodes = append(nodes, setNode("Set "+name, name, w.extra[name], true))
		delete(w.extra, name)
	}
	return nodes
}

// frame carries over what groups and steps have in common. false: the node is to be
// switched off, because its condition could not be carried over.
func (w *walker) frame(e *element) (n ts.Node, ok bool) {
	n.Name = stepName(e.takeAttr("name", Carried, "name"), "Step")
	n.Description = bounded(e.takeAttr("description", Carried, "description"), ts.MaxDescription)
	n.Disabled = strings.EqualFold(e.takeAttr("disable", Carried, "switched off, or on"), "true")
	n.ContinueOnError = strings.EqualFold(e.takeAttr("continueOnError", Carried, "continue on error"), "true")
	e.takeAttr("expand", Left, "how the Workbench showed it")
	e.takeAttr("guid", Changed, "Slipway gives its own id")
	condition, err := w.im.condition(e.first("condition"))
	if err != nil {
		n.Disabled = true
		n.Description = bounded(strings.TrimSpace(n.Description+"\nSwitched off by the import from MDT: "+err.Error()), ts.MaxDescription)
		return n, false
	}
	n.Condition = condition
	return n, true
}

func (w *walker) group(e *element) ts.Node {
	n, ok := w.frame(e)
	e.set(Carried, "group")
	if !ok {
		e.set(Changed, "group, switched off: its condition was not carried over")
	}
	n.Steps = w.members(e)
	if n.Environments = w.environments(e, []string{ts.LinuxPE, ts.WinPE, ts.FullOS}); n.Environments != nil {
		e.takeAttr("runIn", Carried, "environments")
	}
	return n
}

// environments is where a step may run, of where its definition can.
func (w *walker) environments(e *element, possible []string) []string {
	wanted := map[string][]string{"winpe": {ts.LinuxPE, ts.WinPE}, "fullos": {ts.FullOS}}[strings.ToLower(e.attr("runIn"))]
	if wanted == nil {
		e.takeAttr("runIn", Carried, "it may run anywhere")
		return nil
	}
	both := slices.DeleteFunc(slices.Clone(wanted), func(s string) bool { return !slices.Contains(possible, s) })
	if len(both) == 0 {
		e.takeAttr("runIn", Left, "Slipway's step cannot run there")
		return nil
	}
	e.takeAttr("runIn", Carried, "environments")
	return both
}

var errNoCounterpart = errors.New("no step of Slipway does it")
