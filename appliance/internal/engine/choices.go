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

// Choices answers a device with what it may run by its token: the newest active
// version of each sequence that fits its architecture, the one assigned to it, and
// the deployment it left unfinished. An assignment that cannot be run is left out,
// so that the technician is asked. What is outside the token's scope is not there,
// and once the token belongs to a deployment nothing else is.
func (l *Library) Choices(token fleet.Token) (wire.TaskSequences, error) {
	out := wire.TaskSequences{TaskSequences: []wire.TaskSequence{}}
	err := l.opts.Store.View(func(tx *state.Tx) error {
		device, err := tx.Devices().Get(token.DeviceID)
		if err != nil {
			return notFound(err)
		}
		for d := range tx.Deployments().ByDevice(device.ID) {
			if !d.Status.Final() && reaches(token, d) {
				out.Unfinished, out.UnfinishedName = d.ID, d.SequenceName
			}
		}
		if token.Deployment == "" {
			choices(tx, token, device, &out)
		}
		return nil
	})
	slices.SortFunc(out.TaskSequences, func(a, b wire.TaskSequence) int {
		return strings.Compare(strings.ToLower(a.Name)+a.ID, strings.ToLower(b.Name)+b.ID)
	})
	return out, err
}

// choices adds the sequences that a token may start on its device.
func choices(tx *state.Tx, token fleet.Token, device fleet.Device, out *wire.TaskSequences) {
	newestOf := map[string]fleet.Sequence{}
	for s := range tx.Sequences().All() {
		if s.Status == tasksequence.Active && fits(s, device) && allows(token, s.ID) && s.Version > newestOf[s.ID].Version {
			newestOf[s.ID] = s
		}
	}
	for _, s := range newestOf {
		out.TaskSequences = append(out.TaskSequences, wire.TaskSequence{ID: s.ID, Version: s.Version, Name: s.Name, Description: s.Description})
	}
	ref, err := tasksequence.ParseReference(device.Sequence)
	if err != nil || !allows(token, ref.ID) {
		return
	}
	if s, err := runnable(tx, ref, device); err == nil {
		out.Assigned = s.Reference().String()
	}
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
