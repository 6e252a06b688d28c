package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Choices answers a device with what it may run: the newest active version of each
// sequence that fits its architecture, the one assigned to it, and the deployment
// it left unfinished. An assignment that cannot be run is left out, so that the
// technician is asked.
func (l *Library) Choices(deviceID string) (wire.TaskSequences, error) {
	out := wire.TaskSequences{TaskSequences: []wire.TaskSequence{}}
	err := l.opts.Store.View(func(tx *state.Tx) error {
		device, err := tx.Devices().Get(deviceID)
		if err != nil {
			return notFound(err)
		}
		newestOf := map[string]fleet.Sequence{}
		for s := range tx.Sequences().All() {
			if s.Status == tasksequence.Active && fits(s, device) && s.Version > newestOf[s.ID].Version {
				newestOf[s.ID] = s
			}
		}
		for _, s := range newestOf {
			out.TaskSequences = append(out.TaskSequences, wire.TaskSequence{ID: s.ID, Version: s.Version, Name: s.Name, Description: s.Description})
		}
		if ref, err := tasksequence.ParseReference(device.Sequence); err == nil {
			if s, err := runnable(tx, ref, device); err == nil {
				out.Assigned = s.Reference().String()
			}
		}
		for d := range tx.Deployments().ByDevice(deviceID) {
			if !d.Status.Final() {
				out.Unfinished, out.UnfinishedName = d.ID, d.SequenceName
			}
		}
		return nil
	})
	slices.SortFunc(out.TaskSequences, func(a, b wire.TaskSequence) int {
		return strings.Compare(strings.ToLower(a.Name)+a.ID, strings.ToLower(b.Name)+b.ID)
	})
	return out, err
}

// fits reports whether a sequence is for the device's architecture, as far as both
// are known.
func fits(s fleet.Sequence, device fleet.Device) bool {
	return s.Architecture == "" || device.Architecture == "" || s.Architecture == device.Architecture
}

// runnable returns the sequence that a reference names, if the device may run it:
// an active version, or exactly the version that an administrator assigned to it.
func runnable(tx *state.Tx, ref tasksequence.Reference, device fleet.Device) (tasksequence.Sequence, error) {
	var record fleet.Sequence
	var err error
	if ref.Version == 0 {
		record, err = newest(tx, ref.ID, true)
		if errors.Is(err, tasksequence.ErrNoSequence) {
			if _, any := newest(tx, ref.ID, false); any == nil {
				return tasksequence.Sequence{}, fmt.Errorf("%s: %w", ref, ErrNotActive)
			}
		}
	} else {
		record, err = tx.Sequences().Get(state.SequenceKey(ref.ID, ref.Version))
	}
	if err != nil {
		return tasksequence.Sequence{}, notFound(missing(err))
	}
	if record.Status != tasksequence.Active && device.Sequence != fmt.Sprintf("%s:%d", record.ID, record.Version) {
		return tasksequence.Sequence{}, fmt.Errorf("%s: %w", ref, ErrNotActive)
	}
	if !fits(record, device) {
		return tasksequence.Sequence{}, fmt.Errorf("%s is for %s and this device is %s: %w", ref, record.Architecture, device.Architecture, ErrNotActive)
	}
	return fromRecord(record)
}
