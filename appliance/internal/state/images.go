package state

import (
	"slices"
	"time"

	"slipway/fleet"
)

// Images is the table of built boot images, under their id.
func (tx *Tx) Images() Table[fleet.BootImage] { return Table[fleet.BootImage]{tx, &imagesKind} }

var imagesKind = define("images",
	func(v fleet.BootImage) string { return v.ID },
	func(v fleet.BootImage) imageRecord {
		r := imageRecord{ID: v.ID, Kind: v.Kind, Architecture: v.Architecture, Size: v.Size,
			KernelRelease: v.KernelRelease, ModuleCount: v.ModuleCount, AgentVersion: v.AgentVersion,
			Protocol: v.Protocol, CASet: v.CASet, Lab: v.Lab, Served: v.Served,
			BuiltAt: v.BuiltAt.UTC(), Inputs: v.Inputs}
		for _, f := range v.Files {
			r.Files = append(r.Files, imageFileRecord{Name: f.Name, Size: f.Size, SHA256: f.SHA256})
		}
		return r
	},
	func(r imageRecord) fleet.BootImage {
		v := fleet.BootImage{ID: r.ID, Kind: r.Kind, Architecture: r.Architecture, Size: r.Size,
			KernelRelease: r.KernelRelease, ModuleCount: r.ModuleCount, AgentVersion: r.AgentVersion,
			Protocol: r.Protocol, CASet: slices.Clone(r.CASet), Lab: r.Lab, Served: r.Served,
			BuiltAt: r.BuiltAt, Inputs: slices.Clone(r.Inputs)}
		for _, f := range r.Files {
			v.Files = append(v.Files, fleet.ImageFile{Name: f.Name, Size: f.Size, SHA256: f.SHA256})
		}
		return v
	})

type imageRecord struct {
	ID            string            `json:"id"`
	Kind          string            `json:"kind,omitempty"`
	Architecture  string            `json:"architecture,omitempty"`
	Files         []imageFileRecord `json:"files,omitempty"`
	Size          int64             `json:"size,omitempty"`
	KernelRelease string            `json:"kernelRelease,omitempty"`
	ModuleCount   int               `json:"moduleCount,omitempty"`
	AgentVersion  string            `json:"agentVersion,omitempty"`
	Protocol      int               `json:"protocol,omitempty"`
	CASet         []string          `json:"caSet,omitempty"`
	Lab           bool              `json:"lab,omitempty"`
	Served        bool              `json:"served,omitempty"`
	BuiltAt       time.Time         `json:"builtAt,omitzero"`
	Inputs        []string          `json:"inputs,omitempty"`
}

type imageFileRecord struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}
