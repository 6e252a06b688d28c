package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"slipway/fleet"
)

// subject is who attempts, in the words of the throttle.
type subject struct {
	addr    netip.Addr
	addrKey string // "addr:192.0.2.7", IPv6 "addr:2001:db8::/64"
	segKey  string // "seg:192.0.2.0/24"; empty: no shared caps apply
	devKey  string // "dev:<claim>@192.0.2.0/24"; empty: nothing usable claimed
	device  string // the claim in short, for lists and the audit log
}

// The network segment of an address: what one person on the spot can take
// addresses from. IPv4 /24 is the usual size of a site network. IPv6 /56 is what
// a site is usually given; the /64 within it counts as one address already.
const (
	segmentBits4 = 24
	segmentBits6 = 56
	addressBits6 = 64
)

func newSubject(caller Caller, claim fleet.Claim) subject {
	addr := plainAddr(caller.Addr)
	s := subject{addr: addr, addrKey: "addr:" + addressKey(addr), device: describe(claim)}
	segment := prefixOf(addr, segmentBits4, segmentBits6)
	s.segKey = "seg:" + segment
	// A claim proves nothing, so it counts only against its own segment: nobody
	// elsewhere can hold a device back by speaking in its name.
	if id := claimKey(claim); id != "" {
		s.devKey = "dev:" + id + "@" + segment
	}
	return s
}

// newConsoleSubject is for sign-ins with a name and password or a setup code:
// they have their own counter for each address, and no shared cap that somebody
// else could use up.
func newConsoleSubject(caller Caller) subject {
	addr := plainAddr(caller.Addr)
	return subject{addr: addr, addrKey: "console:" + addressKey(addr)}
}

// plainAddr removes what differs without meaning: IPv4 in IPv6, and the zone.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// addressKey is the address that failures count for: IPv6 hosts choose freely
// within their /64.
func addressKey(a netip.Addr) string {
	if a.Is4() || !a.IsValid() {
		return a.String()
	}
	return prefixOf(a, 32, addressBits6)
}

func prefixOf(a netip.Addr, bits4, bits6 int) string {
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// sharedAddress reports whether the address stands for a whole link, so that a
// neighbour can use it up. At the console there is no waiting list to go to, and
// it counts like any other.
func (s subject) sharedAddress() bool { return s.addr.Is6() && s.segKey != "" }

// claimKey is the claim as a bounded key: UUID, else serial and model, else the
// first MAC. Values that many machines share are worth nothing.
func claimKey(c fleet.Claim) string {
	if id := usableUUID(c.UUID); id != "" {
		return id
	}
	if serial := strings.TrimSpace(c.Serial); serial != "" {
		return digest("serial", serial, c.Model)
	}
	if len(c.MACs) > 0 && c.MACs[0] != "" {
		return digest("mac", c.MACs[0])
	}
	return ""
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(parts, "\x00"))))
	return hex.EncodeToString(sum[:12])
}

// usableUUID is the UUID in canonical form, or empty when it is nonsense.
func usableUUID(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	digits := strings.ReplaceAll(s, "-", "")
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 16 || strings.Trim(digits, "0") == "" || strings.Trim(digits, "f") == "" {
		return ""
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// describe is the claim in short, for people.
func describe(c fleet.Claim) string {
	var parts []string
	if name := strings.TrimSpace(c.Manufacturer + " " + c.Model); name != "" {
		parts = append(parts, name)
	}
	switch {
	case strings.TrimSpace(c.Serial) != "":
		parts = append(parts, "serial "+strings.TrimSpace(c.Serial))
	case usableUUID(c.UUID) != "":
		parts = append(parts, usableUUID(c.UUID))
	case len(c.MACs) > 0:
		parts = append(parts, c.MACs[0])
	}
	s := strings.ToValidUTF8(strings.Join(parts, ", "), "?")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100]) + "…"
	}
	return s
}
