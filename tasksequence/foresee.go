package tasksequence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// erasing are the definitions after which nothing goes on from the disk any more.
func erasing() []string {
	return []string{"format-disk", "wipe-disk", "apply-operating-system", ApplyOperatingSystemFromCloud, "apply-chromeos-flex", "apply-igel-image"}
}

// Foresee walks over everything that a run may come by when it begins in an
// environment, and reports the steps that will not be able to run where they come up.
// A Problem that is a Warning may not come to pass: it depends on conditions,
// variables, or on what stands on the device's disk.
//
// A restart from the boot image leads to the boot image, one from the disk to the
// installed operating system, which goes on with the sequence if Prepare operating
// system came before. Whether that is Linux or Windows follows from what was done to
// the disk; where it cannot be told, the first step that works in one of them decides.
//
// lacks says what the agent that asks does not know of a step ("the step Fly"), or
// nothing; nil when it is not an agent that asks. Prepare operating system puts the
// agent of a boot image into the operating system: what comes there is its work too.
func (p *Plan) Foresee(environment string, lacks func(Definition, *Node) string) Problems {
	return p.ForeseeOn(environment, "", lacks)
}

// ForeseeOn is Foresee for a run that begins in an installed system which is known:
// Linux or Windows. In a boot image the system makes no difference.
func (p *Plan) ForeseeOn(environment, system string, lacks func(Definition, *Node) string) Problems {
	f := foresight{plan: p, environment: environment, lacks: lacks}
	f.members(0, len(p.Nodes), places{startingPoint(environment, system): {}}, true, false)
	return f.problems
}

// foreseen reports what is wrong wherever the document begins: the problems of the
// environment in which it comes farthest, and only the sure ones.
func foreseen(doc *Document) Problems {
	plan, err := doc.Plan()
	if err != nil {
		return nil // reported already
	}
	var fewest Problems
	for i, begin := range []struct{ environment, system string }{{LinuxPE, ""}, {FullOS, Linux}, {FullOS, Windows}, {WinPE, ""}} {
		sure := plan.ForeseeOn(begin.environment, begin.system, nil).Sure()
		if len(sure) == 0 {
			return nil
		}
		if i == 0 || len(sure) < len(fewest) {
			fewest = sure
		}
	}
	return fewest
}

type foresight struct {
	plan        *Plan
	environment string // in which the run begins
	lacks       func(Definition, *Node) string
	carried     bool // the operating system surely gets the agent that asks
	problems    Problems
	image       string            // of Windows PE, in words
	lacking     map[string]string // parts that it lacks, by their ids
	noImage     string            // why no Windows PE image can be put onto the disk; empty: it can, or that is not asked
}

// members walks the nodes of one list, from first up to end. sure says
// that the run comes here, tolerated that it goes on when a step here fails.
func (f *foresight) members(first, end int, at places, sure, tolerated bool) places {
	for i := first; i < end; i = f.plan.Nodes[i].end {
		n := &f.plan.Nodes[i]
		if n.Disabled || n.Steps == 0 {
			continue
		}
		at = f.node(i, n, at, sure, tolerated)
	}
	return at
}

func (f *foresight) node(i int, n *PlanNode, at places, sure, tolerated bool) places {
	in, out := places{}, places{}
	for s := range at {
		verdict := n.Node.Condition.foresee(s)
		if wanted := n.Node.Environments; len(wanted) > 0 && !slices.Contains(wanted, s.environment) {
			verdict = never
		}
		if verdict != never {
			in[s] = struct{}{}
		}
		if verdict != always {
			out[s] = struct{}{} // the node is left out
			sure = false
		}
	}
	if len(in) == 0 {
		return out
	}
	tolerated = tolerated || n.Node.ContinueOnError
	if n.Group {
		in = f.possible(n, in, sure, tolerated)
		in = f.members(i+1, n.end, in, sure, tolerated)
	} else {
		in = f.possible(n, in, sure, tolerated)
		f.executable(n, in, sure && !tolerated)
		f.whole(n, in, sure && !tolerated)
		f.targets(n, in, sure && !tolerated)
		f.staging(n, in, sure && !tolerated)
		f.carried = f.carried || sure && n.Define.ID == PrepareOperatingSystem && f.environment != FullOS
		in = f.step(n, in)
	}
	maps.Copy(out, in)
	return out
}

// possible are the places in which the run goes on with the node, because its
// definition can run there; it reports the others.
func (f *foresight) possible(n *PlanNode, at places, sure, tolerated bool) places {
	can := n.Define.Environments
	if len(can) == 0 {
		return at
	}
	fits, wrong := places{}, places{}
	for s := range at {
		if s, ok := s.narrowed(n.Define); ok {
			fits[s] = struct{}{}
		} else {
			wrong[s] = struct{}{}
		}
	}
	if len(wrong) == 0 {
		return fits
	}
	f.report(n, Problem{Field: "definition", Warning: !sure || tolerated || len(fits) > 0,
		Detail: fmt.Sprintf("%s can only run in %s, and here the sequence is in %s", n.Define.Name, n.Define.Where(), strings.Join(wrong.words(n.Define), ", ")),
		Remedy: remedyFor(n.Define, wrong)})
	switch {
	case tolerated:
		return at // the run goes on all the same
	case sure && len(fits) == 0: // as if it had run, so that what is wrong later is reported as well
		for _, environment := range can {
			fits[startingPoint(environment, n.Define.soleSystem())] = struct{}{}
		}
	}
	return fits
}

// executable reports a step that the agent does not know how to execute.
func (f *foresight) executable(n *PlanNode, at places, sure bool) {
	if f.lacks == nil || n.Define.Executor == ExecutorNone {
		return
	}
	what := f.lacks(n.Define, n.Node)
	if what == "" {
		return
	}
	mine := 0
	for s := range at {
		if s.environment == f.environment || f.carried && s.environment == FullOS && (s.system == "" || s.system == startingPoint(f.environment, "").running()) {
			mine++
		}
	}
	if mine == 0 {
		return
	}
	remedy := "The agent is older than the appliance: build the boot image again, make media again, and start the device from it."
	if f.environment == FullOS {
		remedy = "The agent is older than the appliance: put the appliance's own in its place."
	}
	f.report(n, Problem{Field: "definition", Warning: !sure || mine < len(at),
		Detail: fmt.Sprintf("the agent on this device does not know %s", what), Remedy: remedy})
}

func remedyFor(d Definition, wrong places) string {
	can := d.Environments
	if slices.Contains(can, FullOS) && slices.Equal(wrong.environments(), []string{FullOS}) {
		return "Remove it from this task sequence, or give it a condition over " + VariableSystem + "."
	}
	if slices.Contains(can, FullOS) && !slices.Contains(can, LinuxPE) {
		return "Put Prepare operating system and a Reboot from the disk before it, or choose where the step runs."
	}
	return "Put a Reboot from the boot image before it, or choose where the step runs."
}

// step says where the run is after the step.
func (f *foresight) step(n *PlanNode, at places) places {
	switch {
	case n.Define.ID == PrepareOperatingSystem:
		return at.change(func(s spot) []spot { s.prepared = true; return []spot{s} })
	case slices.Contains(erasing(), n.Define.ID):
		return at.change(func(s spot) []spot { return []spot{s.written(n)} })
	case n.Define.ID != Reboot:
		return at
	}
	target, from := rebootTarget(n), choiceOf(n, optionBootImageFrom)
	if target != RebootImage && f.followed(n) {
		f.unprepared(n, at)
	}
	return at.change(func(s spot) []spot {
		switch target {
		case RebootDisk:
			return []spot{s.onDisk()}
		case RebootImage:
			return s.inImage(from)
		}
		return append(s.inImage(from), s.onDisk())
	})
}

// unprepared warns of a restart from a disk on which nothing may go on.
func (f *foresight) unprepared(n *PlanNode, at places) {
	for s := range at {
		if !s.prepared {
			f.report(n, Problem{Field: "settings." + optionRebootRequested, Warning: true,
				Detail: "the device starts from its disk, and nothing there goes on with the sequence unless the operating system brings the agent along",
				Remedy: "Put Prepare operating system before it, or start from the boot image."})
			return
		}
	}
}

// followed reports whether steps come after the node.
func (f *foresight) followed(n *PlanNode) bool { return n.Number < f.plan.Steps }

// rebootTarget returns disk, image, or nothing when a variable decides.
func rebootTarget(n *PlanNode) string {
	if value := choiceOf(n, optionRebootRequested); value == RebootDisk || value == RebootImage {
		return value
	}
	return ""
}

// choiceOf returns what a step's option is set to, a text with variables as it is.
func choiceOf(n *PlanNode, option string) string {
	o, _ := n.Define.Option(option)
	value, set, err := settingOf(o, n.Node)
	if err != nil || !set {
		return ""
	}
	return value.Text
}

func (f *foresight) report(n *PlanNode, p Problem) {
	p.Step, p.Name = n.Path, n.Node.Name
	if len(f.problems) < maxProblems {
		f.problems = append(f.problems, p)
	}
}

// verdict is what is known of a condition before the run.
type verdict int

const (
	perhaps verdict = iota
	always
	never
)

// foresee evaluates a condition of which nothing but the place is known.
func (c *Condition) foresee(at spot) verdict {
	switch {
	case c == nil:
		return always
	case c.And != nil:
		return foreseeAll(c.And, at, always, never)
	case c.Or != nil:
		return foreseeAll(c.Or, at, never, always)
	case c.Not != nil:
		switch c.Not.foresee(at) {
		case always:
			return never
		case never:
			return always
		}
		return perhaps
	}
	known := ""
	switch {
	case strings.EqualFold(c.Variable, VariableEnvironment):
		known = at.environment
	case strings.EqualFold(c.Variable, VariableSystem):
		known = at.running()
	}
	if known == "" || strings.Contains(c.Operand.String(), "%") {
		return perhaps
	}
	vars := NewVariables()
	if err := vars.SetSystem(c.Variable, Value{Text: known}); err == nil && c.Evaluate(vars).Met {
		return always
	}
	return never
}

// foreseeAll is all as long as no member decides otherwise.
func foreseeAll(members []Condition, at spot, all, decides verdict) verdict {
	out := all
	for i := range members {
		switch members[i].foresee(at) {
		case decides:
			return decides
		case perhaps:
			out = perhaps
		}
	}
	return out
}
