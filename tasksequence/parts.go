package tasksequence

import (
	"fmt"
	"strings"
)

// PartPowerShell is the optional component of Windows PE that runs PowerShell, as the
// reports of its images name it.
const PartPowerShell = "powershell"

// Parts are the optional components of Windows PE that a kind of step needs there.
func (d Definition) Parts() []string {
	if d.ID == RunPowerShellScript {
		return []string{PartPowerShell}
	}
	if d.Script != nil {
		words := strings.Fields(strings.ToLower(d.Script.Interpreter))
		if len(words) > 0 && strings.TrimSuffix(words[0][strings.LastIndexAny(words[0], `\/`)+1:], ".exe") == "powershell" {
			return []string{PartPowerShell}
		}
	}
	return nil
}

// ForeseeParts reports the steps that would run in a Windows PE image which lacks a part
// they need, when the run begins there. lacking names those parts ("PowerShell") by their
// ids; image says which image that is.
func (p *Plan) ForeseeParts(image string, lacking map[string]string) Problems {
	return p.foreseeParts(startingPoint(WinPE, ""), image, lacking)
}

// ForeseeStagedParts is ForeseeParts for a run that begins in an installed Windows, which
// gets to that image from its own disk.
func (p *Plan) ForeseeStagedParts(image string, lacking map[string]string) Problems {
	return p.foreseeParts(startingPoint(FullOS, Windows), image, lacking)
}

func (p *Plan) foreseeParts(begin spot, image string, lacking map[string]string) (out Problems) {
	f := foresight{plan: p, environment: begin.environment, image: image, lacking: lacking}
	f.members(0, len(p.Nodes), places{begin: {}}, true, false)
	for _, problem := range f.problems {
		if problem.Field == fieldParts {
			out = append(out, problem)
		}
	}
	return out
}

// fieldParts is the field of what ForeseeParts reports.
const fieldParts = "environments"

// whole reports a step that needs what the Windows PE image lacks.
func (f *foresight) whole(n *PlanNode, at places, sure bool) {
	var names []string
	for _, part := range n.Define.Parts() {
		if name := f.lacking[part]; name != "" {
			names = append(names, name)
		}
	}
	here := 0
	for s := range at {
		if s.environment == WinPE {
			here++
		}
	}
	if len(names) == 0 || here == 0 {
		return
	}
	f.report(n, Problem{Field: fieldParts, Warning: !sure || here < len(at),
		Detail: fmt.Sprintf("%s needs %s, which %s lacks", n.Define.Name, strings.Join(names, " and "), f.image),
		Remedy: "Add it to the WIM that the image is made of (slipway image report --script prints how, and the image's page in the console has it), and build the image again; or let the step run in the installed Windows."})
}
