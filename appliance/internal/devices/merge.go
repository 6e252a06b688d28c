package devices

import (
	"context"
	"fmt"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Merge makes two devices one: keep gets the addresses, deployments and tokens
// of drop, which is then gone. Where both say what they are, the one seen last
// is right: the reason is mostly a replaced mainboard. Errors: ErrNotFound,
// ErrInvalid (the same device), ErrBusy.
func (s *Service) Merge(ctx context.Context, keep, drop string) error {
	now := s.now()
	return s.store.Update(ctx, func(tx *state.Tx) error {
		k, err := lookup(tx, keep)
		if err != nil {
			return err
		}
		d, err := lookup(tx, drop)
		if err != nil {
			return err
		}
		switch {
		case k.ID == d.ID:
			return fmt.Errorf("%w: a device cannot be merged with itself", ErrInvalid)
		case k.Deployment != "" && d.Deployment != "":
			return ErrBusy
		}
		out := merged(k, d)
		if out.Variables, err = s.mergeVariables(k, d); err != nil {
			return err
		}
		addNote(&out, now, "Merged with "+DisplayName(d)+" ("+d.ID+").")
		if err := tx.Devices().Delete(d.ID); err != nil {
			return err
		}
		if err := tx.Devices().Put(out); err != nil {
			return err
		}
		return moveRecords(tx, d.ID, out)
	})
}

// merged is keep with what drop adds.
func merged(keep, drop fleet.Device) fleet.Device {
	newer, older := keep, drop
	if drop.LastSeen.After(keep.LastSeen) {
		newer, older = drop, keep
	}
	first := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	out := keep
	out.UUID, out.Serial = first(newer.UUID, older.UUID), first(newer.Serial, older.Serial)
	out.Manufacturer, out.Model = first(newer.Manufacturer, older.Manufacturer), first(newer.Model, older.Model)
	out.Architecture, out.Firmware = first(newer.Architecture, older.Architecture), first(newer.Firmware, older.Firmware)
	out.Address, out.ImageID = first(newer.Address, older.Address), first(newer.ImageID, older.ImageID)
	out.LastSeen = newer.LastSeen
	if drop.FirstSeen.Before(out.FirstSeen) {
		out.FirstSeen = drop.FirstSeen
	}
	out.Name, out.Sequence = first(keep.Name, drop.Name), first(keep.Sequence, drop.Sequence)
	out.Deployment = first(keep.Deployment, drop.Deployment)
	if out.Boot == (fleet.BootPolicy{}) {
		out.Boot = drop.Boot
	}
	out.MACs = slices.Clone(older.MACs)
	for _, m := range newer.MACs {
		if !slices.Contains(out.MACs, m) {
			out.MACs = append(out.MACs, m)
		}
	}
	out.MACs = out.MACs[max(0, len(out.MACs)-maxMACs):]
	out.Notes = append(slices.Clone(keep.Notes), drop.Notes...)
	out.Facts = newer.Facts
	return out
}

// moveRecords gives everything of a device to another.
func moveRecords(tx *state.Tx, from string, to fleet.Device) error {
	for d := range tx.Deployments().ByDevice(from) {
		d.DeviceID, d.DeviceName = to.ID, to.Name
		if err := tx.Deployments().Put(d); err != nil {
			return err
		}
	}
	for t := range tx.Tokens().ByDevice(from) {
		t.DeviceID = to.ID
		if err := tx.Tokens().Put(t); err != nil {
			return err
		}
	}
	return nil
}
