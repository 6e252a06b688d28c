package api

import (
	"time"

	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/imaging"
	"slipway/bootimages"
	"slipway/fleet"
	"slipway/tasksequence"
)

// The bodies and answers of the admin API. They are what scripts and the command
// line rely on: fields are added, never changed.

// SetPasscode sets or rotates the shared passcode.
type SetPasscode struct {
	Passcode string `json:"passcode"`
	Force    bool   `json:"force,omitempty"` // accept a weak one
}

// AuthSettings are the sign-in settings.
type AuthSettings struct {
	Mechanisms []fleet.Mechanism     `json:"mechanisms"` // configured ones; empty: nothing is ever accepted
	Settings   []auth.SignInKey      `json:"settings"`
	Preview    []fleet.SignInPreview `json:"preview"` // what is asked in each environment
	Passcode   fleet.PasscodeStatus  `json:"passcode"`
	Warning    string                `json:"warning,omitempty"` // the first of Warnings
	Warnings   []string              `json:"warnings"`
}

// ChangeAuth changes settings by their keys. Confirm goes with a change that lets
// more people in.
type ChangeAuth struct {
	Settings map[string]string `json:"settings"`
	Confirm  bool              `json:"confirm,omitempty"`
}

// AgentConfig is the configuration file of slipway-agent on an installed system,
// ready but for its variables (see package agent/internal/installed).
type AgentConfig struct {
	Server       string            `json:"Server"`
	Installation string            `json:"Installation"`
	CA           string            `json:"CA"`
	Variables    map[string]string `json:"Variables"`
}

// AddAccount makes a console account.
type AddAccount struct {
	Name     string     `json:"name"`
	Password string     `json:"password"`
	Role     fleet.Role `json:"role"`
}

// Account is a console account as shown: without its hash.
type Account struct {
	Name      string     `json:"name"`
	Role      fleet.Role `json:"role"`
	CreatedAt time.Time  `json:"createdAt"`
	CreatedBy string     `json:"createdBy,omitempty"`
	LastSeen  time.Time  `json:"lastSeen,omitzero"`
}

// Accounts is the list of console accounts.
type Accounts struct {
	Accounts []Account `json:"accounts"`
}

// AddToken makes an API token for a script.
type AddToken struct {
	Name string     `json:"name"`
	Role fleet.Role `json:"role"`
	Days int        `json:"days"` // until it expires
}

// NewToken is the only answer that ever shows a token's value.
type NewToken struct {
	ID        string    `json:"id"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Token is a token as shown: without its hash.
type Token struct {
	ID        string          `json:"id"`
	Kind      fleet.TokenKind `json:"kind"`
	Name      string          `json:"name,omitempty"`
	Role      fleet.Role      `json:"role,omitempty"`
	DeviceID  string          `json:"deviceId,omitempty"`
	CreatedAt time.Time       `json:"createdAt"`
	ExpiresAt time.Time       `json:"expiresAt"`
}

// Tokens is the list of tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// Devices is the list of devices.
type Devices struct {
	Devices []fleet.Device `json:"devices"`
}

// Assign names the sequence a device runs without asking; empty for none.
type Assign struct {
	Sequence string `json:"sequence"`
}

// SetBoot sets what a device boots, always or at its next boot only.
type SetBoot struct {
	Target fleet.BootTarget `json:"target"`
	Once   bool             `json:"once,omitempty"`
}

// SetWay sets how a device's UEFI firmware is brought to what it boots; an empty
// way is the appliance's default.
type SetWay struct {
	Way fleet.BootWay `json:"way"`
}

// SetVariables replaces the variables of a device.
type SetVariables struct {
	Variables []SetVariable `json:"variables"`
}

// SetVariable is one variable of a device. A secret one without a value keeps the
// value that is set.
type SetVariable struct {
	Name   string              `json:"name"`
	Value  *tasksequence.Value `json:"value,omitempty"`
	Secret bool                `json:"secret,omitempty"`
}

// Deployments is the list of deployments, newest first.
type Deployments struct {
	Deployments []fleet.Deployment `json:"deployments"`
}

// DeploymentDetail is one deployment with its steps and the running step's progress.
type DeploymentDetail struct {
	Deployment fleet.Deployment   `json:"deployment"`
	Results    []fleet.StepResult `json:"results"`
	Progress   *fleet.Progress    `json:"progress,omitempty"`
}

// LogPage is a part of a deployment's log.
type LogPage struct {
	Lines []fleet.LogLine `json:"lines"`
	Last  int64           `json:"last"` // number of the last line there is
}

// Order tells the device of a deployment what to do.
type Order struct {
	Order string `json:"order"` // cancel, pause, continue
}

// Sequences is the library: every version, without the documents.
type Sequences struct {
	Sequences []Sequence `json:"sequences"`
}

// Sequence is one version of a sequence as listed.
type Sequence struct {
	ID          string    `json:"id"`
	Version     int       `json:"version"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Status      string    `json:"status"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// Validation says what is wrong with a sequence document; empty: nothing.
type Validation struct {
	Problems   []string `json:"problems"`
	NotChecked []string `json:"notChecked"` // what only an appliance can check
}

// SequenceProblems is what is wrong with a sequence, by step and field. One that is
// only warned of can be imported.
type SequenceProblems struct {
	Problems []tasksequence.Problem `json:"problems"`
}

// StepDefinitions is the catalogue of steps.
type StepDefinitions struct {
	Steps []tasksequence.Definition `json:"steps"`
}

// BuildImage starts a build of a boot image.
type BuildImage struct {
	Kind     string `json:"kind"`               // linux or winpe
	Packages string `json:"packages,omitempty"` // folder of .deb files on the appliance, instead of its package source
	Firmware string `json:"firmware,omitempty"` // folder of NIC firmware on the appliance
	Overlay  string `json:"overlay,omitempty"`  // folder on the appliance, laid over the image's root
	Profile  string `json:"profile,omitempty"`  // client (default) or server: which drivers
	Keyboard string `json:"keyboard,omitempty"` // layout the prompt starts with
	Lab      bool   `json:"lab,omitempty"`      // may carry a rescue shell and take slipway.passcode=
	// AllowSecrets takes files that look like secrets. Everything in an image is public.
	AllowSecrets bool `json:"allowSecrets,omitempty"`

	// Of Windows PE alone: paths on the appliance, which are taken from its local socket
	// only; or content:ITEM and content:ITEM:VERSION (of drivers several, with commas
	// between), for the source sources:NAME, for root certificates their PEM text. The
	// overlay may be content too.
	Source           string `json:"source,omitempty"`           // Windows ISO, winpe.wim, boot.wim or WinRE image
	Index            int    `json:"index,omitempty"`            // of the image in it; 0: the fitting one
	Architecture     string `json:"architecture,omitempty"`     // refuses a source for another one
	Drivers          string `json:"drivers,omitempty"`          // folder of drivers, loaded before the network
	RootCertificates string `json:"rootCertificates,omitempty"` // file or folder of certificates
	Wallpaper        string `json:"wallpaper,omitempty"`        // JPEG
	Hooks            string `json:"hooks,omitempty"`            // folder with before-network, after-network, after-sign-in
	// Servers are the addresses at which devices look for the appliance; default: its own.
	Servers []string `json:"servers,omitempty"`
}

// ImageSources are files that a build of a Windows PE image may name.
type ImageSources struct {
	Sources []imaging.SourceFile `json:"sources"`
}

// ContentImages are the images in the WIM and ESD files of a content version.
type ContentImages struct {
	Files []ContentImagesFile `json:"files"`
}

// ContentImagesFile is one such file.
type ContentImagesFile struct {
	Path   string                `json:"path"`
	Images []bootimages.WIMImage `json:"images"`
	Error  string                `json:"error,omitempty"` // why it cannot be read
}

// ImageReport says what a Windows PE image is made of and can do.
type ImageReport struct {
	Image  string                 `json:"image"`
	Report bootimages.WinPEReport `json:"report"`
	Script string                 `json:"script"` // adds what is missing, where the Windows ADK is installed
}

// ImageDigest is the Authenticode digest of an image's one file.
type ImageDigest struct {
	Image  string `json:"image"`
	SHA256 []byte `json:"sha256"` // base64
}

// SignImage is a signature of that digest: PKCS #7 signed data (DER, base64).
type SignImage struct {
	Image     string `json:"image"`
	Signature []byte `json:"signature"`
}

// SignedImage says what is served from now on.
type SignedImage struct {
	Image  string          `json:"image"`
	File   fleet.ImageFile `json:"file"`
	Signer string          `json:"signer"` // the certificate's subject
}

// Images is the list of boot images.
type Images struct {
	Images []fleet.BootImage `json:"images"`
}

// Builds is the list of image builds, newest first.
type Builds struct {
	Builds []fleet.ImageBuild `json:"builds"`
}

// AuditPage is a part of the audit log, newest first.
type AuditPage struct {
	Entries []fleet.AuditEntry `json:"entries"`
}

// HeldDevices are the devices held back by a segment or total cap.
type HeldDevices struct {
	Held []fleet.Held `json:"held"`
}
