package state

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// Devices is the table of machines that have been seen, under their id.
type Devices struct{ Table[fleet.Device] }

// Devices returns the table of devices.
func (tx *Tx) Devices() Devices { return Devices{Table[fleet.Device]{tx, &devicesKind}} }

// ByUUID yields the devices with an SMBIOS UUID, whatever its letter case.
func (t Devices) ByUUID(uuid string) iter.Seq[fleet.Device] {
	return t.by("uuid", strings.ToLower(uuid))
}

// BySerial yields the devices with a serial number, compared as it is.
func (t Devices) BySerial(serial string) iter.Seq[fleet.Device] { return t.by("serial", serial) }

// ByMAC yields the devices that have a MAC, whatever its letter case.
func (t Devices) ByMAC(mac string) iter.Seq[fleet.Device] { return t.by("mac", strings.ToLower(mac)) }

var devicesKind = define("devices",
	func(v fleet.Device) string { return v.ID },
	func(v fleet.Device) deviceRecord {
		return deviceRecord{
			ID: v.ID, Name: v.Name, UUID: v.UUID, Serial: v.Serial, Manufacturer: v.Manufacturer, Model: v.Model,
			MACs: v.MACs, Architecture: v.Architecture, Firmware: v.Firmware, Address: v.Address,
			FirstSeen: v.FirstSeen.UTC(), LastSeen: v.LastSeen.UTC(),
			BootAlways: string(v.Boot.Always), BootNext: string(v.Boot.Next), BootWay: string(v.Boot.Way),
			Sequence: v.Sequence, ImageID: v.ImageID, Deployment: v.Deployment, Notes: v.Notes, Facts: v.Facts,
			Variables: variablesOut(v.Variables),
		}
	},
	func(r deviceRecord) fleet.Device {
		return fleet.Device{
			ID: r.ID, Name: r.Name, UUID: r.UUID, Serial: r.Serial, Manufacturer: r.Manufacturer, Model: r.Model,
			MACs: slices.Clone(r.MACs), Architecture: r.Architecture, Firmware: r.Firmware, Address: r.Address,
			FirstSeen: r.FirstSeen, LastSeen: r.LastSeen,
			Boot:     fleet.BootPolicy{Always: fleet.BootTarget(r.BootAlways), Next: fleet.BootTarget(r.BootNext), Way: fleet.BootWay(r.BootWay)},
			Sequence: r.Sequence, ImageID: r.ImageID, Deployment: r.Deployment,
			Notes: slices.Clone(r.Notes), Facts: maps.Clone(r.Facts), Variables: variablesIn(r.Variables),
		}
	},
	on("uuid", func(r *deviceRecord) []string { return one(strings.ToLower(r.UUID)) }),
	on("serial", func(r *deviceRecord) []string { return one(r.Serial) }),
	on("mac", func(r *deviceRecord) []string {
		macs := make([]string, len(r.MACs))
		for i, m := range r.MACs {
			macs[i] = strings.ToLower(m)
		}
		return macs
	}))

type deviceRecord struct {
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	UUID         string            `json:"uuid,omitempty"`
	Serial       string            `json:"serial,omitempty"`
	Manufacturer string            `json:"manufacturer,omitempty"`
	Model        string            `json:"model,omitempty"`
	MACs         []string          `json:"macs,omitempty"`
	Architecture string            `json:"architecture,omitempty"`
	Firmware     string            `json:"firmware,omitempty"`
	Address      string            `json:"address,omitempty"`
	FirstSeen    time.Time         `json:"firstSeen,omitzero"`
	LastSeen     time.Time         `json:"lastSeen,omitzero"`
	BootAlways   string            `json:"bootAlways,omitempty"`
	BootNext     string            `json:"bootNext,omitempty"`
	BootWay      string            `json:"bootWay,omitempty"`
	Sequence     string            `json:"sequence,omitempty"`
	ImageID      string            `json:"imageId,omitempty"`
	Deployment   string            `json:"deployment,omitempty"`
	Notes        []string          `json:"notes,omitempty"`
	Facts        map[string]string `json:"facts,omitempty"`
	Variables    []variableRecord  `json:"variables,omitempty"`
}

func variablesOut(list []fleet.DeviceVariable) (out []variableRecord) {
	for _, x := range list {
		out = append(out, variableRecord{Name: x.Name, Value: x.Value, Sealed: x.Sealed})
	}
	return out
}

func variablesIn(list []variableRecord) (out []fleet.DeviceVariable) {
	for _, x := range list {
		out = append(out, fleet.DeviceVariable{Name: x.Name, Value: slices.Clone(x.Value), Secret: len(x.Sealed) > 0, Sealed: slices.Clone(x.Sealed)})
	}
	return out
}
