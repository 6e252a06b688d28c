package devices

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// Bounds of what a device may report of itself.
const (
	maxFacts     = 200
	maxFactName  = 64
	maxFactValue = 1024 // bytes
)

// SetFacts keeps what a signed-in device reports of itself. Names and values are
// bounded; control characters are taken out. All of it is a claim. Errors:
// ErrNotFound, ErrInvalid.
func (s *Service) SetFacts(ctx context.Context, id string, facts map[string]string) error {
	if len(facts) > maxFacts {
		return fmt.Errorf("%w: %d facts, %d allowed", ErrInvalid, len(facts), maxFacts)
	}
	kept := make(map[string]string, len(facts))
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if clip(name) != name || name == "" || len(name) > maxFactName {
			return fmt.Errorf("%w: a fact's name has 1 to %d plain characters", ErrInvalid, maxFactName)
		}
		kept[name] = plainText(facts[name])
	}
	return s.change(ctx, id, func(_ *state.Tx, d *fleet.Device) error {
		d.Facts = kept
		if arch := kept["Architecture"]; arch != "" {
			d.Architecture = clip(arch)
		}
		return nil
	})
}

// plainText takes out control characters and bounds the length at a whole character.
func plainText(s string) string {
	out := make([]rune, 0, min(len(s), maxFactValue))
	size := 0
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			continue
		}
		if size += len(string(r)); size > maxFactValue {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
