package wire

// CloudQuery is the body of POST /deployments/{id}/cloud: what the appliance's
// catalogues have is to be fetched for this deployment. It is sent again, the same, until
// the answer names content. Drivers asks for the driver pack of a model, else the
// operating system of the other members is meant.
type CloudQuery struct {
	OS           string       `json:"os,omitempty"` // e.g. "Windows 11"
	Version      string       `json:"version,omitempty"`
	Edition      string       `json:"edition,omitempty"`
	Architecture string       `json:"architecture,omitempty"`
	LanguageCode string       `json:"languageCode,omitempty"`
	Drivers      *DriverQuery `json:"drivers,omitempty"`
}

// CloudAnswer answers a CloudQuery. Without content and without a wait there is nothing
// for this model.
type CloudAnswer struct {
	Name       string           `json:"name,omitempty"`
	Content    []ContentVersion `json:"content,omitempty"`
	Image      string           `json:"image,omitempty"`      // name of the image in the file
	ImageIndex int              `json:"imageIndex,omitempty"` // its number, where it has no name
	Detail     string           `json:"detail,omitempty"`     // a sentence for people while it is waited for
	Percent    int              `json:"percent,omitempty"`
	Wait       int              `json:"wait,omitempty"` // seconds until it is worth asking again
}
