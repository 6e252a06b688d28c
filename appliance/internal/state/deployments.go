package state

import (
	"bytes"
	"iter"
	"time"

	"slipway/fleet"
)

// Deployments is the table of deployments, under their id.
type Deployments struct{ Table[fleet.Deployment] }

// Deployments returns the table of deployments.
func (tx *Tx) Deployments() Deployments {
	return Deployments{Table[fleet.Deployment]{tx, &deploymentsKind}}
}

// ByDevice yields a device's deployments in the order of their ids.
func (t Deployments) ByDevice(id string) iter.Seq[fleet.Deployment] { return t.by("device", id) }

var deploymentsKind = define("deployments",
	func(v fleet.Deployment) string { return v.ID },
	toDeploymentRecord, fromDeploymentRecord,
	on("device", func(r *deploymentRecord) []string { return one(r.DeviceID) }))

func toDeploymentRecord(v fleet.Deployment) deploymentRecord {
	r := deploymentRecord{
		ID: v.ID, DeviceID: v.DeviceID, DeviceName: v.DeviceName,
		SequenceID: v.SequenceID, SequenceVersion: v.SequenceVersion, SequenceName: v.SequenceName,
		Document: v.Document, Status: string(v.Status), Order: v.Order, WaitsFor: string(v.WaitsFor), Staged: v.Staged,
		Environment: v.Environment, Actor: v.Actor, Address: v.Address, ImageID: v.ImageID,
		Epoch: v.Epoch, Kept: v.Kept, StepCount: v.StepCount, CurrentStep: v.CurrentStep,
		CurrentName: v.CurrentName, StepNumber: v.StepNumber, StartedAt: v.StartedAt.UTC(),
		UpdatedAt: v.UpdatedAt.UTC(), EndedAt: v.EndedAt.UTC(), Message: v.Message,
	}
	for _, x := range v.Variables {
		r.Variables = append(r.Variables, variableRecord{Name: x.Name, Value: x.Value, Sealed: x.Sealed})
	}
	return r
}

func fromDeploymentRecord(r deploymentRecord) fleet.Deployment {
	v := fleet.Deployment{
		ID: r.ID, DeviceID: r.DeviceID, DeviceName: r.DeviceName,
		SequenceID: r.SequenceID, SequenceVersion: r.SequenceVersion, SequenceName: r.SequenceName,
		Document: r.Document, Status: fleet.DeploymentStatus(r.Status), Order: r.Order,
		WaitsFor: fleet.BootTarget(r.WaitsFor), Staged: r.Staged, Environment: r.Environment, Actor: r.Actor,
		Address: r.Address, ImageID: r.ImageID, Epoch: r.Epoch, Kept: r.Kept, StepCount: r.StepCount,
		CurrentStep: r.CurrentStep, CurrentName: r.CurrentName, StepNumber: r.StepNumber,
		StartedAt: r.StartedAt, UpdatedAt: r.UpdatedAt, EndedAt: r.EndedAt, Message: r.Message,
	}
	for _, x := range r.Variables {
		v.Variables = append(v.Variables, fleet.VariableRecord{Name: x.Name,
			Value: bytes.Clone(x.Value), Sealed: bytes.Clone(x.Sealed)})
	}
	return v
}

type deploymentRecord struct {
	ID              string           `json:"id"`
	DeviceID        string           `json:"deviceId,omitempty"`
	DeviceName      string           `json:"deviceName,omitempty"`
	SequenceID      string           `json:"sequenceId,omitempty"`
	SequenceVersion int              `json:"sequenceVersion,omitempty"`
	SequenceName    string           `json:"sequenceName,omitempty"`
	Document        string           `json:"document,omitempty"`
	Status          string           `json:"status,omitempty"`
	Order           string           `json:"order,omitempty"`
	WaitsFor        string           `json:"waitsFor,omitempty"`
	Staged          string           `json:"staged,omitempty"`
	Environment     string           `json:"environment,omitempty"`
	Actor           string           `json:"actor,omitempty"`
	Address         string           `json:"address,omitempty"`
	ImageID         string           `json:"imageId,omitempty"`
	Epoch           int64            `json:"epoch,omitempty"`
	Kept            int64            `json:"kept,omitempty"`
	Variables       []variableRecord `json:"variables,omitempty"`
	StepCount       int              `json:"stepCount,omitempty"`
	CurrentStep     string           `json:"currentStep,omitempty"`
	CurrentName     string           `json:"currentName,omitempty"`
	StepNumber      int              `json:"stepNumber,omitempty"`
	StartedAt       time.Time        `json:"startedAt,omitzero"`
	UpdatedAt       time.Time        `json:"updatedAt,omitzero"`
	EndedAt         time.Time        `json:"endedAt,omitzero"`
	Message         string           `json:"message,omitempty"`
}

// variableRecord keeps the value's bytes as they came, not as JSON within JSON:
// encoding/json would rewrite them.
type variableRecord struct {
	Name   string `json:"name"`
	Value  []byte `json:"value,omitempty"`
	Sealed []byte `json:"sealed,omitempty"`
}
