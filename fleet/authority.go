package fleet

import "time"

// AuthorityState is what a certificate authority of the installation does.
type AuthorityState string

// The states of an authority. Every boot image trusts all that are in the set.
const (
	AuthorityPending AuthorityState = "pending" // in new images; signs once every served image has it
	AuthoritySigning AuthorityState = "signing" // signs the server's certificate
	AuthorityOld     AuthorityState = "old"     // signed before; in new images until it is retired
)

// AuthorityInfo is what may be shown of an authority.
type AuthorityInfo struct {
	Fingerprint string         `json:"fingerprint"` // SHA-256 of the certificate, hex
	Name        string         `json:"name"`
	State       AuthorityState `json:"state"`
	CreatedAt   time.Time      `json:"createdAt"`
	ExpiresAt   time.Time      `json:"expiresAt"`
}

// AuthorityLack is an image, or a device that was last served such an image, that
// does not trust the newest authority.
type AuthorityLack struct {
	Image        string    `json:"image"`
	Device       string    `json:"device,omitempty"` // id; empty: the image itself
	Name         string    `json:"name,omitempty"`   // of the device
	Medium       string    `json:"medium,omitempty"` // id; Name is who made it
	Kind         string    `json:"kind,omitempty"`
	Architecture string    `json:"architecture,omitempty"`
	Served       bool      `json:"served,omitempty"`     // devices get it now
	Deployment   string    `json:"deployment,omitempty"` // the device's, under way
	At           time.Time `json:"at,omitzero"`          // when the image was built, or the device was last seen
}

// AuthorityStatus is how the rotation of the certificate authority stands.
type AuthorityStatus struct {
	Authorities []AuthorityInfo `json:"authorities"` // the signing one first
	Images      []AuthorityLack `json:"images"`      // that do not trust the newest authority
	Devices     []AuthorityLack `json:"devices"`     // that were last served one of these
	Media       []AuthorityLack `json:"media"`       // made of boot images, that do not trust the newest authority
	Blocked     []string        `json:"blocked"`     // why the pending authority does not sign yet
	Next        string          `json:"next"`        // what happens next, or what to do, in a sentence
}
