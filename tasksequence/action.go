package tasksequence

import "time"

// The statuses of a Result. All but Running are final.
const (
	Running   = "running"
	Succeeded = "succeeded"
	Failed    = "failed"
	Skipped   = "skipped"
)

// Result is the recorded outcome of a node. Groups and Run task sequence steps
// have one only when they were skipped or failed before their first member.
type Result struct {
	Path     string `json:"path"`
	Status   string `json:"status"`
	ExitCode int    `json:"exitCode,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Final reports whether the node will never run again.
func (r Result) Final() bool {
	return r.Status == Succeeded || r.Status == Failed || r.Status == Skipped
}

// Action is what is to be done next: Execute, Skip, Fail, Ask or Done. Each but
// Done is answered by Run.Record with a final result for its path.
type Action interface{ action() }

// Position says where in a run an action stands.
type Position struct {
	Path   string
	Name   string
	Group  bool // the action concerns a whole group or child sequence
	Number int  // N of "Step N of M"; 0 for groups
	Of     int  // M
}

// Execute asks the caller to run a step: to record it as Running, to let the
// executor work, and to record how it ended.
type Execute struct {
	Position
	Node        *Node
	Definition  Definition
	Settings    Settings
	Interrupted bool         // it was running when the agent ended
	After       Interruption // the rule that applies then: RunAgain or VerifyFirst

	// Content is what is to be put into folders before the step runs. It is empty
	// unless Run.ContentFolders was called.
	Content []StepContent

	Timeout      time.Duration // 0: no limit
	SuccessCodes []int
	Retries      int
	RetryWait    time.Duration
}

// StepContent is content that a step finds in a folder while it runs.
type StepContent struct {
	Option  string // whose folder _CONTENT-<option> names
	Version Reference
	Folder  string
}

// Skip says that a condition or the environment leaves a node out.
type Skip struct {
	Position
	Reason string
}

// Fail says that a step cannot even be started.
type Fail struct {
	Position
	Message string
}

// Ask says that a step was interrupted and that a person must decide. The answer
// is given by Run.Answer, or by Run.Record with a final result.
type Ask struct {
	Position
	Question string
}

// Done says that nothing is left to do.
type Done struct {
	Status    string // Succeeded or Failed
	Path      string // the step that failed
	Name      string
	Message   string // why it failed
	Tolerated int    // steps that failed where the sequence goes on after an error
}

func (Execute) action() {}
func (Skip) action()    {}
func (Fail) action()    {}
func (Ask) action()     {}
func (Done) action()    {}

// Result returns the result to be recorded for the skipped node.
func (s Skip) Result() Result { return Result{Path: s.Path, Status: Skipped, Message: s.Reason} }

// Result returns the result to be recorded for the step.
func (f Fail) Result() Result { return Result{Path: f.Path, Status: Failed, Message: f.Message} }

// Succeeded reports whether an exit code counts as success.
func (e Execute) Succeeded(exitCode int) bool {
	for _, code := range e.SuccessCodes {
		if code == exitCode {
			return true
		}
	}
	return false
}
