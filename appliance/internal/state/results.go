package state

import (
	"iter"
	"time"

	"slipway/fleet"
)

// Results is the table of step results, under ResultKey.
type Results struct{ Table[fleet.StepResult] }

// Results returns the table of step results.
func (tx *Tx) Results() Results { return Results{Table[fleet.StepResult]{tx, &resultsKind}} }

// ResultKey is the key of a step's result.
func ResultKey(deploymentID, path string) string { return deploymentID + "/" + path }

// ByDeployment yields a deployment's step results in the order of their paths.
func (t Results) ByDeployment(id string) iter.Seq[fleet.StepResult] { return t.by("deployment", id) }

var resultsKind = define("results",
	func(v fleet.StepResult) string { return ResultKey(v.DeploymentID, v.Path) },
	func(v fleet.StepResult) resultRecord {
		return resultRecord{DeploymentID: v.DeploymentID, Path: v.Path, Name: v.Name, Number: v.Number,
			Status: v.Status, ExitCode: v.ExitCode, Message: v.Message,
			StartedAt: v.StartedAt.UTC(), EndedAt: v.EndedAt.UTC()}
	},
	func(r resultRecord) fleet.StepResult {
		return fleet.StepResult{DeploymentID: r.DeploymentID, Path: r.Path, Name: r.Name, Number: r.Number,
			Status: r.Status, ExitCode: r.ExitCode, Message: r.Message,
			StartedAt: r.StartedAt, EndedAt: r.EndedAt}
	},
	on("deployment", func(r *resultRecord) []string { return one(r.DeploymentID) }))

type resultRecord struct {
	DeploymentID string    `json:"deploymentId"`
	Path         string    `json:"path"`
	Name         string    `json:"name,omitempty"`
	Number       int       `json:"number,omitempty"`
	Status       string    `json:"status,omitempty"`
	ExitCode     int       `json:"exitCode,omitempty"`
	Message      string    `json:"message,omitempty"`
	StartedAt    time.Time `json:"startedAt,omitzero"`
	EndedAt      time.Time `json:"endedAt,omitzero"`
}
