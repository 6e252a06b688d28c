package audit

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// Filter selects entries. Empty fields match everything.
type Filter struct {
	Text    string // contained in any field, upper and lower case alike
	Actor   string
	Action  string // the whole action, or a prefix that ends in a dot ("passcode.")
	Device  string
	Address string // an address, or a network as 192.0.2.0/24
	Outcome string
	Since   time.Time // not before
	Until   time.Time // before
}

// matcher returns what tells whether an entry matches.
func (f Filter) matcher() func(fleet.AuditEntry) bool {
	address := addressMatcher(f.Address)
	return func(e fleet.AuditEntry) bool { return f.match(e) && address(e.Address) }
}

func (f Filter) match(e fleet.AuditEntry) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	switch {
	case !is(f.Actor, e.Actor), !is(f.Device, e.Device), !is(f.Outcome, e.Outcome):
		return false
	case !is(f.Action, e.Action) && !(strings.HasSuffix(f.Action, ".") && strings.HasPrefix(e.Action, f.Action)):
		return false
	case !f.Since.IsZero() && e.Time.Before(f.Since), !f.Until.IsZero() && !e.Time.Before(f.Until):
		return false
	}
	return f.Text == "" || f.containsText(e)
}

func (f Filter) containsText(e fleet.AuditEntry) bool {
	text := strings.ToLower(f.Text)
	return slices.ContainsFunc([]string{e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason},
		func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

// addressMatcher matches one address in whatever notation, or those of a network.
func addressMatcher(want string) func(string) bool {
	if want == "" {
		return func(string) bool { return true }
	}
	if network, err := netip.ParsePrefix(want); err == nil {
		return func(have string) bool {
			a, err := netip.ParseAddr(have)
			return err == nil && network.Masked().Contains(a.Unmap().WithZone(""))
		}
	}
	if one, err := netip.ParseAddr(want); err == nil {
		want = one.Unmap().String()
	}
	return func(have string) bool { return have == want }
}
