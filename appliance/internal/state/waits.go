package state

import (
	"time"

	"slipway/fleet"
)

// Waits is the table of throttling counters, under what they hold back.
func (tx *Tx) Waits() Table[fleet.Wait] { return Table[fleet.Wait]{tx, &waitsKind} }

var waitsKind = define("waits",
	func(v fleet.Wait) string { return v.Key },
	func(v fleet.Wait) waitRecord {
		return waitRecord{Key: v.Key, Failures: v.Failures, Until: v.Until.UTC(), Last: v.Last.UTC()}
	},
	func(r waitRecord) fleet.Wait {
		return fleet.Wait{Key: r.Key, Failures: r.Failures, Until: r.Until, Last: r.Last}
	})

type waitRecord struct {
	Key      string    `json:"key"`
	Failures int       `json:"failures"`
	Until    time.Time `json:"until,omitzero"`
	Last     time.Time `json:"last,omitzero"`
}
