package tasksequence

// ForeseeStaging reports the Reboot steps that would put Windows PE onto the disk of an
// installed Windows in which the run begins, because no image is there for that: missing
// says why, as a sentence begins.
func (p *Plan) ForeseeStaging(missing string) (out Problems) {
	f := foresight{plan: p, environment: FullOS, noImage: missing}
	f.members(0, len(p.Nodes), places{startingPoint(FullOS, Windows): {}}, true, false)
	for _, problem := range f.problems {
		if problem.Field == fieldStaging {
			out = append(out, problem)
		}
	}
	return out
}

// Stages reports whether a run that begins in an installed Windows may put Windows PE
// onto its disk.
func (p *Plan) Stages() bool { return len(p.ForeseeStaging("?")) > 0 }

// fieldStaging is the field of what ForeseeStaging reports.
const fieldStaging = "settings." + optionBootImageFrom

// staging reports a restart into a Windows PE that is not there.
func (f *foresight) staging(n *PlanNode, at places, sure bool) {
	if f.noImage == "" || n.Define.ID != Reboot || rebootTarget(n) == RebootDisk {
		return
	}
	from, here := choiceOf(n, optionBootImageFrom), 0
	for s := range at {
		if s.stages(from) {
			here++
		}
	}
	if here == 0 {
		return
	}
	f.report(n, Problem{Field: fieldStaging, Warning: !sure || here < len(at) || rebootTarget(n) == "",
		Detail: "the installed Windows is to restart into Windows PE from its own disk: " + f.noImage,
		Remedy: `Build one, or set "Boot image from" to network and let the computer start from the network.`})
}
