package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// List returns every device, in the order of ids.
func (s *Service) List(context.Context) (out []fleet.Device, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		out = slices.Collect(tx.Devices().All())
		return nil
	})
	return out, err
}

// Get finds a device by id, name, MAC address or UUID. Errors: ErrNotFound,
// ErrAmbiguous.
func (s *Service) Get(_ context.Context, key string) (d fleet.Device, err error) {
	err = s.store.View(func(tx *state.Tx) error {
		d, err = lookup(tx, key)
		return err
	})
	return d, err
}

// lookup finds a device by what people call it. An id goes first, then what the
// index finds, then names, whose case does not matter.
func lookup(tx *state.Tx, key string) (fleet.Device, error) {
	key = strings.TrimSpace(key)
	if key == "" || len(key) > 200 {
		return fleet.Device{}, ErrNotFound
	}
	d, err := tx.Devices().Get(key)
	if err == nil || !errors.Is(err, state.ErrNotFound) {
		return d, err
	}
	var fit []fleet.Device
	if uuidForm.MatchString(strings.ToLower(key)) {
		fit = slices.Collect(tx.Devices().ByUUID(strings.ToLower(key)))
	} else if mac := canonicalMAC(key); mac != "" {
		fit = slices.Collect(tx.Devices().ByMAC(mac))
	}
	if len(fit) == 0 {
		for d := range tx.Devices().All() {
			if d.Name != "" && strings.EqualFold(d.Name, key) {
				fit = append(fit, d)
			}
		}
	}
	switch len(fit) {
	case 0:
		return fleet.Device{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	case 1:
		return fit[0], nil
	}
	return fleet.Device{}, fmt.Errorf("%q: %w", key, ErrAmbiguous)
}

// change applies an administrator's change to one device.
func (s *Service) change(ctx context.Context, key string, fn func(tx *state.Tx, d *fleet.Device) error) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		d, err := lookup(tx, key)
		if err != nil {
			return err
		}
		if err := fn(tx, &d); err != nil {
			return err
		}
		return tx.Devices().Put(d)
	})
}

// maxName bounds a device's name, in characters.
const maxName = 64

// Rename gives a device a name, or takes it away. Names are unique, up to 64
// characters, and cannot look like an address or UUID. Errors: ErrNotFound,
// ErrInvalid.
func (s *Service) Rename(ctx context.Context, key, name string) error {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: a name has up to %d characters in one line", ErrInvalid, maxName)
	case canonicalMAC(name) != "" || uuidForm.MatchString(strings.ToLower(name)):
		return fmt.Errorf("%w: a name must not look like a MAC address or UUID", ErrInvalid)
	}
	return s.change(ctx, key, func(tx *state.Tx, d *fleet.Device) error {
		for x := range tx.Devices().All() {
			if name != "" && x.ID != d.ID && (strings.EqualFold(x.Name, name) || x.ID == name) {
				return fmt.Errorf("%w: the name %q is taken", ErrInvalid, name)
			}
		}
		d.Name = name
		return nil
	})
}

// Assign sets the sequence that a device runs without asking: "id" (its newest
// Active version), "id:version", or "" for none. Errors: ErrNotFound,
// ErrUnknownSequence.
func (s *Service) Assign(ctx context.Context, key, sequence string) error {
	sequence = strings.TrimSpace(sequence)
	return s.change(ctx, key, func(tx *state.Tx, d *fleet.Device) error {
		if sequence != "" && !knownSequence(tx, sequence) {
			return fmt.Errorf("%w: %q", ErrUnknownSequence, sequence)
		}
		d.Sequence = sequence
		return nil
	})
}

func knownSequence(tx *state.Tx, sequence string) bool {
	id, version, pinned := strings.Cut(sequence, ":")
	if pinned {
		n, err := strconv.Atoi(version)
		return err == nil && tx.Sequences().Has(state.SequenceKey(id, n))
	}
	for range tx.Sequences().ByID(id) {
		return true
	}
	return false
}

// SetBoot sets what a device boots, always or once at its next boot. Once with
// an empty target takes the one-time answer back; always with an empty one goes
// back to the default. Errors: ErrNotFound, ErrInvalid.
func (s *Service) SetBoot(ctx context.Context, key string, target fleet.BootTarget, once bool) error {
	switch target {
	case "", fleet.BootImageTarget, fleet.BootWinPE, fleet.BootDisk, fleet.BootSilent:
	default:
		return fmt.Errorf("%w: boot target %q is not image, winpe, disk or silent", ErrInvalid, target)
	}
	return s.change(ctx, key, func(_ *state.Tx, d *fleet.Device) error {
		if once {
			d.Boot.Next = target
		} else {
			d.Boot.Always = target
		}
		return nil
	})
}

// SetWay sets how a device's UEFI firmware is brought to what it boots; empty goes
// back to the appliance's default. Errors: ErrNotFound, ErrInvalid.
func (s *Service) SetWay(ctx context.Context, key string, way fleet.BootWay) error {
	if way != "" && !slices.Contains(fleet.BootWays(), way) {
		return fmt.Errorf("%w: boot way %q is not one of %v", ErrInvalid, way, fleet.BootWays())
	}
	return s.change(ctx, key, func(_ *state.Tx, d *fleet.Device) error {
		d.Boot.Way = way
		return nil
	})
}

// TakeNext consumes a device's one-time answer if it is still target, and
// reports whether it was.
func (s *Service) TakeNext(ctx context.Context, id string, target fleet.BootTarget) (taken bool, err error) {
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		taken = false
		d, err := tx.Devices().Get(id)
		if err != nil || d.Boot.Next != target || target == "" {
			return err
		}
		d.Boot.Next = ""
		taken = true
		return tx.Devices().Put(d)
	})
	return taken && err == nil, err
}

// NoteImage records which boot image a device was served last.
func (s *Service) NoteImage(ctx context.Context, id, image string) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		d, err := tx.Devices().Get(id)
		if err != nil || d.ImageID == image {
			return err
		}
		d.ImageID = image
		return tx.Devices().Put(d)
	})
}
