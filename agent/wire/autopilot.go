package wire

// AutopilotRegistration is the body of POST /deployments/{id}/autopilot: the device of
// this deployment is to be registered with Windows Autopilot. It is sent again, the
// same, until the answer says that it is done.
type AutopilotRegistration struct {
	Serial       string `json:"serialNumber"`
	HardwareHash string `json:"hardwareHash"` // base64, as Windows gives it
	GroupTag     string `json:"groupTag,omitempty"`
	User         string `json:"assignedUser,omitempty"` // user principal name
}

// The states of an AutopilotState.
const (
	AutopilotImporting = "importing" // the hash is being worked on
	AutopilotAssigning = "assigning" // registered; a profile is waited for
	AutopilotAssigned  = "assigned"  // it has a profile: done
)

// AutopilotState answers an AutopilotRegistration.
type AutopilotState struct {
	State  string `json:"state"`
	Detail string `json:"detail"`         // a sentence for people
	Wait   int    `json:"wait,omitempty"` // seconds until it is worth asking again
}
