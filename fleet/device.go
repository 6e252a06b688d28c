package fleet

import (
	"encoding/json"
	"strings"
	"time"
)

// BootTarget is what a device boots when it asks the network.
type BootTarget string

// The three answers of a boot policy.
const (
	BootImageTarget BootTarget = "image"  // the boot image with the agent
	BootDisk        BootTarget = "disk"   // the device's own disk
	BootWinPE       BootTarget = "winpe"  // the Windows PE image
	BootSilent      BootTarget = "silent" // no answer at all, not even the loader
)

// BootWay is what the UEFI firmware of a device is given first. A BIOS always gets
// iPXE.
type BootWay string

// The ways.
const (
	BootByIPXE       BootWay = "ipxe"        // iPXE and a script; Secure Boot has to be off
	BootByOneFile    BootWay = "one-file"    // the boot image as one program, loaded by the firmware itself
	BootByShim       BootWay = "shim"        // Debian's signed shim and GRUB, for Secure Boot with Microsoft's keys
	BootBySignedIPXE BootWay = "signed-ipxe" // a signed iPXE release that the administrator added
)

// BootWays lists the ways, the default first.
func BootWays() []BootWay { return []BootWay{BootByIPXE, BootByOneFile, BootByShim, BootBySignedIPXE} }

// BootPolicy says what one device boots. Next, when set, wins once over Always.
type BootPolicy struct {
	Always BootTarget `json:"always"`
	Next   BootTarget `json:"next,omitempty"`
	Way    BootWay    `json:"way,omitempty"` // empty: the appliance's, boot.uefi
}

// Claim is what a device says of itself, as received: nothing in it is proven.
type Claim struct {
	UUID         string   `json:"uuid,omitempty"`
	MACs         []string `json:"mac,omitempty"`
	Serial       string   `json:"serial,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
}

// Device is a machine that has been seen at least once.
type Device struct {
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	UUID         string            `json:"uuid,omitempty"` // canonical lower case 8-4-4-4-12; empty when unusable
	Serial       string            `json:"serial,omitempty"`
	Manufacturer string            `json:"manufacturer,omitempty"`
	Model        string            `json:"model,omitempty"`
	MACs         []string          `json:"mac"`                    // lower case, colons
	Architecture string            `json:"architecture,omitempty"` // x64, arm64, x86
	Firmware     string            `json:"firmware,omitempty"`     // bios, uefi, uefi-http
	Address      string            `json:"address,omitempty"`      // last IP address seen
	FirstSeen    time.Time         `json:"firstSeen"`
	LastSeen     time.Time         `json:"lastSeen"`
	Boot         BootPolicy        `json:"boot"`
	Sequence     string            `json:"sequence,omitempty"`   // assigned sequence, "id" or "id:version"
	ImageID      string            `json:"imageId,omitempty"`    // boot image it was last served
	Deployment   string            `json:"deployment,omitempty"` // unfinished deployment, if any
	Notes        []string          `json:"notes,omitempty"`      // e.g. why an unclear match made a new device
	Facts        map[string]string `json:"facts,omitempty"`      // bounded; gathered variables as last reported
	Variables    []DeviceVariable  `json:"variables,omitempty"`  // set by people, sorted by name; deployments begin with them
}

// DeviceVariable is a variable that a device's deployments begin with.
type DeviceVariable struct {
	Name   string          `json:"name"`
	Value  json.RawMessage `json:"value,omitempty"` // a text or a list of texts; nothing when secret
	Secret bool            `json:"secret,omitempty"`
	Sealed []byte          `json:"-"` // of a secret one, bound to VariablePurpose; never sent anywhere
}

// VariablePurpose binds the sealed value of a device's variable to its place.
func VariablePurpose(device, name string) string {
	return "device-variable/" + device + "/" + strings.ToLower(name)
}
