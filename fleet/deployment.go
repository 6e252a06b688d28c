package fleet

import (
	"encoding/json"
	"time"
)

// DeploymentStatus is the state of one run of a sequence.
type DeploymentStatus string

// The states of a deployment. Succeeded, Failed and Cancelled are final.
const (
	DeploymentRunning   DeploymentStatus = "running"
	DeploymentPaused    DeploymentStatus = "paused"
	DeploymentSucceeded DeploymentStatus = "succeeded"
	DeploymentFailed    DeploymentStatus = "failed"
	DeploymentCancelled DeploymentStatus = "cancelled"
)

// Final reports whether nothing can follow this status.
func (s DeploymentStatus) Final() bool {
	return s == DeploymentSucceeded || s == DeploymentFailed || s == DeploymentCancelled
}

// Deployment is one run of one sequence version on one device.
// The appliance's record is the truth; the device keeps a cache.
type Deployment struct {
	ID              string           `json:"id"`
	DeviceID        string           `json:"deviceId"`
	DeviceName      string           `json:"deviceName,omitempty"`
	SequenceID      string           `json:"sequenceId"`
	SequenceVersion int              `json:"sequenceVersion"`
	SequenceName    string           `json:"sequenceName"`
	Document        string           `json:"document"` // SHA-256 of the pinned document (see Document)
	Status          DeploymentStatus `json:"status"`
	Order           string           `json:"order,omitempty"`    // pending order for the device: cancel, pause, continue
	WaitsFor        BootTarget       `json:"waitsFor,omitempty"` // set between a Reboot step and the agent's return
	Staged          string           `json:"staged,omitempty"`   // while it waits for the boot image: id of the one that lies on the device's own disk and starts from there
	Environment     string           `json:"environment"`        // linuxpe, winpe, fullos: a claim
	Actor           string           `json:"actor"`              // who signed in: "passcode", "anonymous", a person
	Address         string           `json:"address"`
	ImageID         string           `json:"imageId,omitempty"`
	Epoch           int64            `json:"epoch"`
	Kept            int64            `json:"kept"` // highest event number kept in this epoch
	Variables       []VariableRecord `json:"variables,omitempty"`
	StepCount       int              `json:"stepCount"`
	CurrentStep     string           `json:"currentStep,omitempty"` // path of the step running now
	CurrentName     string           `json:"currentName,omitempty"`
	StepNumber      int              `json:"stepNumber"` // N of "Step N of M"
	StartedAt       time.Time        `json:"startedAt"`
	UpdatedAt       time.Time        `json:"updatedAt"`
	EndedAt         time.Time        `json:"endedAt,omitzero"`
	Message         string           `json:"message,omitempty"` // why it failed, in words
}

// VariableRecord is a sequence variable as kept by the appliance. A secret one
// has Sealed set and Value empty.
type VariableRecord struct {
	Name   string          `json:"name"`
	Value  json.RawMessage `json:"value,omitempty"`
	Sealed []byte          `json:"sealed,omitempty"`
}

// StepResult is the recorded outcome of one step of a deployment. A step with a
// recorded result never runs again.
type StepResult struct {
	DeploymentID string    `json:"deploymentId"`
	Path         string    `json:"path"` // unique within the deployment, children of Run task sequence included
	Name         string    `json:"name"`
	Number       int       `json:"number"` // order of execution, from 1
	Status       string    `json:"status"` // running, succeeded, failed, skipped
	ExitCode     int       `json:"exitCode"`
	Message      string    `json:"message,omitempty"`
	StartedAt    time.Time `json:"startedAt,omitzero"`
	EndedAt      time.Time `json:"endedAt,omitzero"`
}

// Document is an immutable text kept once under its hash: the resolved sequence
// a deployment is pinned to.
type Document struct {
	Hash string          `json:"hash"` // lower case hex SHA-256 of Body
	Body json.RawMessage `json:"body"`
}

// LogLine is one line of a deployment's log. Lines live in files, not in state.
type LogLine struct {
	Number int64     `json:"n"`
	Time   time.Time `json:"t"`
	Level  string    `json:"level"` // debug, info, warn, error
	Step   string    `json:"step,omitempty"`
	Text   string    `json:"text"`
}

// Progress is what changes many times a second: it lives in memory only.
type Progress struct {
	DeploymentID string    `json:"deploymentId"`
	Path         string    `json:"path"`
	Percent      int       `json:"percent"` // 0 to 100, -1 unknown
	Text         string    `json:"text,omitempty"`
	At           time.Time `json:"at"`
}

// Sequence is a version of a task sequence in the library.
type Sequence struct {
	ID           string          `json:"id"`
	Version      int             `json:"version"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Architecture string          `json:"architecture,omitempty"`
	Status       string          `json:"status"` // development, active, deprecated
	Body         json.RawMessage `json:"body"`   // the tasksequence document
	UpdatedAt    time.Time       `json:"updatedAt"`
}

// StepDefinition is one version of a step definition that an administrator brought.
// Versions never change.
type StepDefinition struct {
	ID        string          `json:"id"`
	Version   int             `json:"version"`
	Name      string          `json:"name"`
	Body      json.RawMessage `json:"body"` // the definition's document
	UpdatedAt time.Time       `json:"updatedAt"`
}
