// Package wire holds the JSON types of /api/v1 as spoken between the agent and
// the appliance. Agents are baked into boot images and media, so what stands
// here is frozen once released: fields are added, never changed or reused.
// Standard library only.
package wire

import (
	"encoding/json"
	"time"
)

// Protocol is the version of the conversation this tree speaks.
const Protocol = 1

// Headers an agent sends with every call.
const (
	HeaderProtocol = "Slipway-Protocol" // decimal Protocol
	HeaderAgent    = "Slipway-Agent"    // version of the agent
	HeaderImage    = "Slipway-Image"    // boot image id, when booted from one
)

// Environments an agent may run in. A claim, never a basis for a right.
const (
	LinuxPE = "linuxpe"
	WinPE   = "winpe"
	FullOS  = "fullos"
)

// ServerName returns the TLS name under which devices reach the appliance.
func ServerName(installation string) string { return installation + ".slipway.internal" }

// Problem is an RFC 9457 problem document (application/problem+json).
type Problem struct {
	Type     string       `json:"type,omitempty"` // "about:blank" or "urn:slipway:problem:<word>"
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail,omitempty"`
	Instance string       `json:"instance,omitempty"` // request id
	HoldCode string       `json:"holdCode,omitempty"` // 429 by a segment or total cap: code to show
	Errors   []FieldError `json:"errors,omitempty"`
}

// FieldError names one offending field.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Device is what a device says of itself.
type Device struct {
	UUID         string   `json:"uuid,omitempty"`
	MAC          []string `json:"mac,omitempty"`
	Serial       string   `json:"serial,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
}

// Mechanisms answers GET /auth/mechanisms.
type Mechanisms struct {
	Mechanisms []string `json:"mechanisms"`
	Keyboard   string   `json:"keyboard,omitempty"` // layout to start the prompt with
	Warning    string   `json:"warning,omitempty"`  // to show on the screen, e.g. that anyone may deploy
}

// PasscodeSignIn is the body of POST /auth/passcode.
type PasscodeSignIn struct {
	Passcode    string `json:"passcode"`
	Device      Device `json:"device"`
	Environment string `json:"environment"`
}

// The names of the mechanisms in Mechanisms, in the order they are tried.
const (
	Anonymous   = "anonymous"
	Certificate = "certificate"
	Entra       = "entra"
	Passcode    = "passcode"
)

// SignIn is the body of POST /auth/anonymous, /auth/certificate and /auth/entra.
type SignIn struct {
	Device      Device `json:"device"`
	Environment string `json:"environment"`
}

// EntraStart answers POST /auth/entra.
type EntraStart struct {
	Session                 string `json:"session"`
	UserCode                string `json:"userCode"`
	VerificationURI         string `json:"verificationUri"`
	VerificationURIComplete string `json:"verificationUriComplete,omitempty"` // carries the code, for the QR code
	ExpiresIn               int    `json:"expiresIn"`                         // seconds
	Interval                int    `json:"interval"`                          // seconds between polls
}

// EntraPoll is the body of POST /auth/entra/poll. Its answers: 200 Token, 202
// EntraPending, 403 denied (problem "denied" or "role"), 410 expired or not known:
// start again, 503 the provider does not answer: poll again.
type EntraPoll struct {
	Session string `json:"session"`
}

// EntraPending is the answer 202 to a poll.
type EntraPending struct {
	Interval int `json:"interval"` // seconds until the next poll
}

// Token answers a successful sign-in or renewal.
type Token struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// TaskSequences answers GET /task-sequences.
type TaskSequences struct {
	TaskSequences  []TaskSequence `json:"taskSequences"`
	Assigned       string         `json:"assigned,omitempty"`   // "id:version": run without asking
	Unfinished     string         `json:"unfinished,omitempty"` // deployment id offered for continuing
	UnfinishedName string         `json:"unfinishedName,omitempty"`
}

// TaskSequence is one row of the choice on the device's screen.
type TaskSequence struct {
	ID          string `json:"id"`
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// StartDeployment is the body of POST /deployments.
type StartDeployment struct {
	Sequence    string     `json:"sequence"` // "id" (newest Active) or "id:version"
	Environment string     `json:"environment,omitempty"`
	Device      *Device    `json:"device,omitempty"` // default: the device of the token
	Variables   []Variable `json:"variables,omitempty"`
	Key         string     `json:"key,omitempty"` // idempotency key, chosen by the caller
}

// ResumeDeployment is the body of POST /deployments/{id}/resume.
type ResumeDeployment struct {
	Environment string `json:"environment,omitempty"` // that the agent runs in now: a device whose deployment goes on in its installed system starts from its disk
}

// Variable is one sequence variable on the wire.
type Variable struct {
	Name   string          `json:"name"`
	Value  json.RawMessage `json:"value"` // a string or a list of strings
	Secret bool            `json:"secret,omitempty"`
}

// Deployment answers POST /deployments, POST /deployments/{id}/resume and
// GET /deployments/{id}.
type Deployment struct {
	ID        string          `json:"id"`
	Status    string          `json:"status"`
	Epoch     int64           `json:"epoch"` // to be sent with every event
	Kept      int64           `json:"kept"`
	Document  json.RawMessage `json:"document,omitempty"`  // tasksequence.Document, pinned
	Variables []Variable      `json:"variables,omitempty"` // secrets included only for the device itself
	Results   []Result        `json:"results,omitempty"`   // recorded ones: these steps never run again
	WaitsFor  string          `json:"waitsFor,omitempty"`
	Name      string          `json:"name"`
	StepCount int             `json:"stepCount"`
	Message   string          `json:"message,omitempty"`
	// Environment is where the agent was when it last began or went on with it: linuxpe,
	// winpe or fullos. An older appliance leaves it out.
	Environment string `json:"environment,omitempty"`
}

// Result is the recorded outcome of a step.
type Result struct {
	Path     string    `json:"path"`
	Status   string    `json:"status"` // running, succeeded, failed, skipped
	ExitCode int       `json:"exitCode,omitempty"`
	Message  string    `json:"message,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
}

// The kinds of events.
const (
	EventStepStarted  = "step-started"
	EventStepFinished = "step-finished" // Result is set
	EventVariables    = "variables"     // Variables changed outside a step's end
	EventRebooting    = "rebooting"     // Target is set: disk or image
	EventFinished     = "finished"      // Status is set: succeeded, failed, cancelled
)

// Event is one numbered report within an epoch. Numbers start at 1 in each epoch.
type Event struct {
	Number     int64      `json:"number"`
	Time       time.Time  `json:"time"`
	Kind       string     `json:"kind"`
	Path       string     `json:"path,omitempty"`
	Name       string     `json:"name,omitempty"`
	StepNumber int        `json:"stepNumber,omitempty"` // N of "Step N of M"
	Result     *Result    `json:"result,omitempty"`
	Variables  []Variable `json:"variables,omitempty"` // as they stand after the step, changed ones only
	Target     string     `json:"target,omitempty"`
	Staged     string     `json:"staged,omitempty"` // with the target image: id of the boot image that lies on the device's own disk and starts from there
	Status     string     `json:"status,omitempty"`
	Message    string     `json:"message,omitempty"`
}

// EventBatch is the body of POST /deployments/{id}/events. An empty batch is a
// heartbeat; Progress is not kept.
type EventBatch struct {
	Epoch    int64     `json:"epoch"`
	Events   []Event   `json:"events,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
}

// Progress of the running step.
type Progress struct {
	Path    string `json:"path"`
	Percent int    `json:"percent"` // 0 to 100, -1 unknown
	Text    string `json:"text,omitempty"`
}

// The orders an answer may carry.
const (
	OrderCancel   = "cancel"
	OrderPause    = "pause"
	OrderContinue = "continue"
)

// EventAnswer names the highest number kept and carries orders.
type EventAnswer struct {
	Kept   int64    `json:"kept"`
	Orders []string `json:"orders,omitempty"`
}

// LogBatch is the body of POST /deployments/{id}/logs. Numbers count from 1 in
// each epoch; numbers already kept are ignored.
type LogBatch struct {
	Epoch int64     `json:"epoch"`
	Lines []LogLine `json:"lines"`
}

// LogLine is one line of output.
type LogLine struct {
	Number int64     `json:"n"`
	Time   time.Time `json:"t"`
	Level  string    `json:"level,omitempty"`
	Step   string    `json:"step,omitempty"`
	Text   string    `json:"text"`
}

// LogAnswer answers a LogBatch. Full says that the deployment's cap is reached.
type LogAnswer struct {
	Kept int64 `json:"kept"`
	Full bool  `json:"full,omitempty"`
}

// Facts is the body of PUT /device/facts.
type Facts struct {
	Facts map[string]string `json:"facts"`
}
