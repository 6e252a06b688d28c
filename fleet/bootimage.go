package fleet

import "time"

// BootImage is a built boot image. Its files never change and are served under
// /boot/<id>/.
type BootImage struct {
	ID            string      `json:"id"`   // first 32 hex digits of the SHA-256 of the resolved inputs
	Kind          string      `json:"kind"` // linux, winpe
	Architecture  string      `json:"architecture"`
	Files         []ImageFile `json:"files"`
	Size          int64       `json:"size"` // bytes of all files
	KernelRelease string      `json:"kernelRelease,omitempty"`
	ModuleCount   int         `json:"moduleCount,omitempty"`
	AgentVersion  string      `json:"agentVersion,omitempty"`
	Protocol      int         `json:"protocol"`
	CASet         []string    `json:"caSet"` // SHA-256 fingerprints of the CA certificates pinned inside
	Lab           bool        `json:"lab"`   // may carry a rescue shell and slipway.passcode=
	Served        bool        `json:"served"`
	BuiltAt       time.Time   `json:"builtAt"`
	Inputs        []string    `json:"inputs,omitempty"` // resolved inputs, one line each, as hashed
}

// ImageFile is one file of a boot image.
type ImageFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ImageBuild is a build that is under way or has ended. Builds live in memory.
type ImageBuild struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"` // running, done, failed
	Percent   int       `json:"percent"`
	Stage     string    `json:"stage"`
	Log       []string  `json:"log,omitempty"` // bounded
	ImageID   string    `json:"imageId,omitempty"`
	Error     string    `json:"error,omitempty"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
}
