package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// maxScope bounds each list of a scope.
const maxScope = 200

func unlimited(s fleet.Scope) bool {
	return len(s.Sequences) == 0 && len(s.Devices) == 0 && len(s.Networks) == 0
}

// cleanScope brings a scope into the form that is kept: no doubles, networks as
// prefixes without host bits, a single address as the prefix of itself.
func cleanScope(in fleet.Scope) (out fleet.Scope, err error) {
	for _, list := range []struct{ from, to *[]string }{{&in.Sequences, &out.Sequences}, {&in.Devices, &out.Devices}, {&in.Networks, &out.Networks}} {
		for _, text := range *list.from {
			if text = strings.TrimSpace(text); text == "" || len(text) > 200 {
				return out, &InvalidError{Field: "scope", Detail: "An entry of the scope is empty or too long."}
			}
			if list.to == &out.Networks {
				p, err := parseNetwork(text)
				if err != nil {
					return out, &InvalidError{Field: "scope", Detail: fmt.Sprintf("%q is no network: use an address and the bits of its prefix, e.g. 192.0.2.0/24.", text)}
				}
				text = p.String()
			}
			if !slices.Contains(*list.to, text) {
				*list.to = append(*list.to, text)
			}
		}
		if len(*list.to) > maxScope {
			return out, &InvalidError{Field: "scope", Detail: fmt.Sprintf("Use %d entries of a kind at most.", maxScope)}
		}
	}
	return out, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = plainAddr(a)
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// knownScope refuses what does not exist, which is mostly a slip of the keyboard.
func knownScope(tx *state.Tx, s fleet.Scope) error {
	for _, id := range s.Sequences {
		known := false
		for range tx.Sequences().ByID(id) {
			known = true
		}
		if !known {
			return &InvalidError{Field: "scope", Detail: fmt.Sprintf("There is no task sequence with the id %q: see slipway sequence list.", id)}
		}
	}
	for _, id := range s.Devices {
		if !tx.Devices().Has(id) {
			return &InvalidError{Field: "scope", Detail: fmt.Sprintf("There is no device with the id %q: see slipway device list.", id)}
		}
	}
	return nil
}

// unfit says why a passcode that is known cannot be used by this caller now, for
// the audit log; empty when it can.
func (s *Service) unfit(p keptPasscode, subject subject, claim fleet.Claim) (reason string, err error) {
	switch {
	case p.usedUp():
		return p.words() + ": used up", nil
	case p.expired(s.now()):
		return p.words() + ": expired", nil
	case !inNetworks(p.Scope.Networks, subject.addr):
		return p.words() + ": outside its scope (network)", nil
	case len(p.Scope.Devices) == 0:
		return "", nil
	}
	// Strangers make no devices, and one that is not known yet is in no scope.
	device, found, err := s.find(claim)
	if err != nil {
		return "", fmt.Errorf("auth: find device: %w", err)
	}
	if !found || !slices.Contains(p.Scope.Devices, device.ID) {
		return p.words() + ": outside its scope (device)", nil
	}
	return "", nil
}

// inNetworks reports whether an address is in one of the networks; no networks are
// no limit.
func inNetworks(networks []string, addr netip.Addr) bool {
	return len(networks) == 0 || slices.ContainsFunc(networks, func(text string) bool {
		p, err := netip.ParsePrefix(text)
		return err == nil && p.Contains(addr)
	})
}

// unfitError says that a passcode which was accepted could not be used any more
// when its token was to be stored.
type unfitError struct{ reason string }

func (e *unfitError) Error() string { return e.reason }

// proof is what somebody has proved who typed the passcode.
func (p keptPasscode) proof(now func() time.Time) proof {
	actor := "passcode"
	if p.base() != passcodeID {
		actor += " " + p.base()
	}
	return proof{
		mechanism: fleet.MechanismPasscode, actor: actor, action: "passcode.accepted", reason: p.words(),
		passcode: p.base(), scope: p.Scope,
		use: func(tx *state.Tx, device string) error { return p.use(tx, device, now()) },
	}
}

// use counts a sign-in within the transaction that stores its token, so that
// parallel ones cannot exceed the limit. Only a limited passcode is written. One
// that is used up by this has run out now.
func (p keptPasscode) use(tx *state.Tx, device string, now time.Time) error {
	record, err := tx.Passcodes().Get(p.ID)
	fresh := keptPasscode{record}
	switch {
	case err != nil || record.Hash != p.Hash:
		return &unfitError{p.words() + ": replaced or removed"}
	case fresh.usedUp():
		return &unfitError{p.words() + ": used up"}
	case fresh.expired(now):
		return &unfitError{p.words() + ": expired"}
	case len(record.Scope.Devices) > 0 && !slices.Contains(record.Scope.Devices, device):
		return &unfitError{p.words() + ": outside its scope (device)"}
	case record.MaxUses == 0:
		return nil
	}
	record.Uses++
	if record.Uses >= record.MaxUses {
		record.ExpiresAt = now.UTC()
	}
	return tx.Passcodes().Put(record)
}
