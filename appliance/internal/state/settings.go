package state

import (
	"slices"

	"slipway/fleet"
)

// Settings holds the one record of settings, under Self.
func (tx *Tx) Settings() Table[fleet.Settings] { return Table[fleet.Settings]{tx, &settingsKind} }

var settingsKind = define("settings",
	func(fleet.Settings) string { return Self },
	func(v fleet.Settings) settingsRecord {
		return settingsRecord{Keyboard: v.Keyboard, SharedMACs: v.SharedMACs, PasscodeMaxAgeDays: v.PasscodeMaxAgeDays}
	},
	func(r settingsRecord) fleet.Settings {
		return fleet.Settings{Keyboard: r.Keyboard, SharedMACs: slices.Clone(r.SharedMACs), PasscodeMaxAgeDays: r.PasscodeMaxAgeDays}
	})

type settingsRecord struct {
	Keyboard           string   `json:"keyboard,omitempty"`
	SharedMACs         []string `json:"sharedMacs,omitempty"`
	PasscodeMaxAgeDays int      `json:"passcodeMaxAgeDays,omitempty"`
}
