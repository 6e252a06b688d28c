package tasksequence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// VariableTargetLayout names the read-only variable that holds the layout of the target
// disk as JSON, from the moment when it has file systems.
const VariableTargetLayout = "_TargetLayout"

// VariableEnvironment names the read-only variable that holds the environment the
// agent runs in now: linuxpe, winpe or fullos. Without it every step may run.
const VariableEnvironment = "_Environment"

// VariableSystem names the read-only variable that holds the kind of system the agent
// runs in now: linux (also in the Linux boot image) or windows (also in WinPE).
const VariableSystem = "_System"

const (
	optionTimeout      = "Timeout"
	optionSuccessCodes = "SuccessCodes"
	maxTimeout         = 7 * 24 * 3600 // seconds
)

// Errors of Record and Answer.
var (
	ErrUnknownPath = errors.New("the document has no such step")
	ErrFinal       = errors.New("the step has a final result already")
)

// Run interprets a document: it says what comes next, given what was recorded and
// how the variables stand. It is pure: two runs that are told the same say the
// same. Not safe for concurrent use.
type Run struct {
	plan    *Plan
	vars    *Variables
	results map[string]Result
	entered []bool // groups some member of which has a result: their condition was met
	index   map[string]int
	cursor  int
	doc     *Document

	rerun   map[string]bool // interrupted steps that a person lets run again
	folders func(p Position, option string) string
}

// NewRun starts or continues a run. vars is used, and given the document's default
// values for variables that do not exist yet. Results for paths that the document
// does not have are left out.
func NewRun(doc *Document, vars *Variables, results []Result) (*Run, error) {
	plan, err := doc.Plan()
	if err != nil {
		return nil, err
	}
	r := &Run{plan: plan, vars: vars, doc: doc, results: map[string]Result{}, index: make(map[string]int, len(plan.Nodes)),
		entered: make([]bool, len(plan.Nodes)), rerun: map[string]bool{}}
	for i := range plan.Nodes {
		r.index[plan.Nodes[i].Path] = i
	}
	for _, result := range results {
		if i, ok := r.index[result.Path]; ok {
			r.keep(i, result)
		}
	}
	return r, setDefaults(&doc.Sequence, vars)
}

// Plan returns the static layout of the document.
func (r *Run) Plan() *Plan { return r.plan }

// ContentFolders says where the content of a step's option will be put. Settings of
// the same step may then name the folder as %_CONTENT-<option>%.
func (r *Run) ContentFolders(folder func(p Position, option string) string) { r.folders = folder }

// Record keeps a result: Running when a step starts, a final one when it ended. A
// final result stays: another one for the same path is ErrFinal.
func (r *Run) Record(result Result) error {
	i, ok := r.index[result.Path]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownPath, result.Path)
	}
	if result.Status != Running && !result.Final() {
		return fmt.Errorf("step %s: %q is not a status", result.Path, result.Status)
	}
	if r.results[result.Path].Final() {
		return fmt.Errorf("%w: %s", ErrFinal, result.Path)
	}
	r.keep(i, result)
	delete(r.rerun, result.Path)
	return nil
}

// RunAgain answers an Ask: the interrupted step runs again.
func (r *Run) RunAgain(path string) error {
	if r.results[path].Status != Running {
		return fmt.Errorf("step %s was not interrupted", path)
	}
	r.rerun[path] = true
	return nil
}

func (r *Run) keep(i int, result Result) {
	r.results[result.Path] = result
	for p := r.plan.Nodes[i].parent; p >= 0 && !r.entered[p]; p = r.plan.Nodes[p].parent {
		r.entered[p] = true
	}
}

// Next says what comes next. Asked again without a Record in between it says the
// same, except that a step it gave out and that was recorded as Running is then an
// interrupted one.
func (r *Run) Next() Action {
	for r.cursor < len(r.plan.Nodes) {
		p := &r.plan.Nodes[r.cursor]
		result, recorded := r.results[p.Path]
		switch {
		case p.Disabled, p.Steps == 0, result.Status == Skipped: // a group of disabled steps leaves no trace
			r.cursor = p.end
		case result.Status == Failed:
			if done, over := r.afterFailure(p, result); over {
				return done
			}
		case p.Group:
			if action := r.enter(p); action != nil {
				return action
			}
		case result.Status == Succeeded:
			r.cursor++
		case recorded:
			return r.interrupted(p)
		default:
			return r.start(p)
		}
	}
	return Done{Status: Succeeded, Tolerated: r.tolerated()}
}

// enter moves on to a group's first member, or says why it is left out.
func (r *Run) enter(p *PlanNode) Action {
	if !r.entered[r.cursor] {
		if action := r.excluded(p); action != nil {
			return action
		}
	}
	if p.Call != nil {
		if err := setDefaults(p.Call, r.vars); err != nil {
			return Fail{Position: r.position(p), Message: err.Error()}
		}
	}
	r.cursor++
	return nil
}

// excluded says whether condition or environment leave the node out.
func (r *Run) excluded(p *PlanNode) Action {
	if outcome := p.Node.Condition.Evaluate(r.vars); !outcome.Met {
		return Skip{Position: r.position(p), Reason: outcome.Reason}
	}
	return r.misplaced(p)
}

// misplaced says whether the node does not run in this environment.
func (r *Run) misplaced(p *PlanNode) Action {
	environment := r.vars.Text(VariableEnvironment)
	if environment == "" {
		return nil
	}
	if wanted := p.Node.Environments; len(wanted) > 0 && !slices.Contains(wanted, environment) {
		return Skip{Position: r.position(p), Reason: fmt.Sprintf("it runs only in %s; this is %s", strings.Join(wanted, ", "), environment)}
	}
	if can := p.Define.Environments; len(can) > 0 && !slices.Contains(can, environment) {
		return Fail{Position: r.position(p), Message: fmt.Sprintf(
			"%s can only run in %s, and this is %s. Put a Reboot step before it, or choose where the step runs.",
			p.Define.Name, p.Define.Where(), environment)}
	}
	if system := r.vars.Text(VariableSystem); len(p.Define.Environments) > 0 && !p.Define.RunsIn(environment, system) {
		return Fail{Position: r.position(p), Message: fmt.Sprintf("%s can only run in %s, and this is %s. Remove it, or give it a condition over %s.",
			p.Define.Name, p.Define.Where(), systemName(system), VariableSystem)}
	}
	return nil
}

func (r *Run) start(p *PlanNode) Action {
	if action := r.excluded(p); action != nil {
		return action
	}
	return r.execute(p)
}

func (r *Run) execute(p *PlanNode) Action {
	content := r.contentOf(p)
	settings, err := resolve(p.Define, p.Node, r.vars.Scope(folderVariables(content)))
	if err != nil {
		return Fail{Position: r.position(p), Message: r.vars.Mask(err.Error())}
	}
	e := Execute{Position: r.position(p), Node: p.Node, Definition: p.Define, Settings: settings,
		After:        rule(p, settings),
		Timeout:      time.Duration(p.Node.Timeout) * time.Second,
		SuccessCodes: p.Node.SuccessCodes,
		Retries:      p.Node.Retries,
		RetryWait:    time.Duration(p.Node.RetryWait) * time.Second,
		Content:      content,
	}
	if e.Timeout == 0 {
		e.Timeout = time.Duration(settings.Int(optionTimeout)) * time.Second
	}
	if e.SuccessCodes == nil {
		e.SuccessCodes = settings.Ints(optionSuccessCodes)
	}
	if e.SuccessCodes == nil {
		e.SuccessCodes = []int{0}
	}
	return e
}

// contentOf names the folders of the step's content: of its script, and of options that
// are set and whose files the executor does not read itself.
func (r *Run) contentOf(p *PlanNode) []StepContent {
	if r.folders == nil {
		return nil
	}
	var content []StepContent
	add := func(option, reference string) {
		if version, err := ParseReference(reference); err == nil {
			content = append(content, StepContent{Option: option, Version: version, Folder: r.folders(r.position(p), option)})
		}
	}
	if p.Define.Script != nil && p.Define.Script.Content != "" {
		add(ScriptContent, p.Define.Script.Content)
	}
	for _, o := range p.Define.Options {
		if o.Type != TypeContent || o.Stream {
			continue
		}
		if value, set, err := settingOf(o, p.Node); err == nil && set && !value.empty() {
			add(o.Name, value.Text)
		}
	}
	return content
}

func folderVariables(content []StepContent) map[string]Value {
	private := make(map[string]Value, len(content))
	for _, c := range content {
		private[ContentVariable(c.Option)] = Value{Text: c.Folder}
	}
	return private
}

// Private returns the step's private values: its settings, and the folders of its
// content under _CONTENT-<option>.
func (e Execute) Private() map[string]Value {
	private := e.Settings.Private()
	maps.Copy(private, folderVariables(e.Content))
	return private
}

// interrupted follows the rule for a step that was running when the agent ended.
// Its condition was met when it began and is not asked again; but the device may have
// come up elsewhere.
func (r *Run) interrupted(p *PlanNode) Action {
	for at := p; ; at = &r.plan.Nodes[at.parent] {
		switch a := r.misplaced(at).(type) {
		case Skip:
			return Fail{Position: r.position(p), Message: "It was interrupted, and cannot go on here: " + a.Reason + "."}
		case Fail:
			a.Position = r.position(p)
			return a
		}
		if at.parent < 0 {
			break
		}
	}
	action := r.execute(p)
	e, ok := action.(Execute)
	if !ok {
		return action
	}
	e.Interrupted = true
	if e.After == AskFirst && !r.rerun[p.Path] {
		return Ask{Position: e.Position, Question: fmt.Sprintf(
			"%q was interrupted while it ran, and it is not known how far it came. Run it again?", p.Node.Name)}
	}
	if e.After == AskFirst {
		e.After = RunAgain
	}
	return e
}

// rule returns what follows an interruption of the step.
func rule(p *PlanNode, settings Settings) Interruption {
	if p.Define.ID == RunCommandLine && settings.Text(optionAfterInterruption) == string(RunAgain) {
		return RunAgain
	}
	return p.Define.Interruption
}

// afterFailure moves the cursor behind the innermost node that goes on after an
// error, the failed one itself included; without one the run is over.
func (r *Run) afterFailure(p *PlanNode, result Result) (Done, bool) {
	for at := p; ; at = &r.plan.Nodes[at.parent] {
		if at.Node.ContinueOnError {
			r.cursor = at.end
			return Done{}, false
		}
		if at.parent < 0 {
			return Done{Status: Failed, Path: p.Path, Name: p.Node.Name, Message: result.Message, Tolerated: r.tolerated() - 1}, true
		}
	}
}

func (r *Run) tolerated() int {
	n := 0
	for _, result := range r.results {
		if result.Status == Failed {
			n++
		}
	}
	return n
}

func (r *Run) position(p *PlanNode) Position {
	return Position{Path: p.Path, Name: p.Node.Name, Group: p.Group, Number: p.Number, Of: r.plan.Steps}
}

// setDefaults gives a sequence's variables their default values where they do not
// exist yet.
func setDefaults(s *Sequence, vars *Variables) error {
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		value := s.Variables[name]
		if _, exists := vars.Get(name); exists {
			continue
		}
		if err := vars.Set(name, value); err != nil {
			return fmt.Errorf("default of %s: %w", s.Name, err)
		}
	}
	return nil
}
