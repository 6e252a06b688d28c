package devices

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"slipway/fleet"
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// repeatingUUIDs are known to stand in more than one machine, in the form that
// Linux prints. Sources: AMI's sample value in both byte orders (reported for
// many boards, e.g. oshi/oshi#2417 and "SMBIOS UUID fail", A. Hay 2012);
// CapaSystems' list "Non-Unique UUID"; systemd pull request 11137 (counting
// bytes); Dell's form with a blank service tag ("DELL", date bytes, spaces).
var repeatingUUIDs = map[string]bool{
	"03000200-0400-0500-0006-000700080009": true,
	"00020003-0004-0005-0006-000700080009": true,
	"fefefefe-fefe-fefe-fefe-fefefefefefe": true,
	"07090201-0103-0301-0807-060504030201": true,
	"dc698397-fa54-4cf2-82c8-b1b5307a6a7f": true,
	"8e275844-178f-44a8-aceb-a7d7e5178c63": true,
	"890e2d14-cacd-45d1-ae66-bc80e8bfeb0f": true,
	"00010203-0405-0607-0809-0a0b0c0d0e0f": true,
	"03020100-0504-0706-0809-0a0b0c0d0e0f": true,
	"01020304-0506-0708-090a-0b0c0d0e0f10": true,
	"04030201-0605-0807-090a-0b0c0d0e0f10": true,
	"4c4c4544-0000-2010-8020-80c04f202020": true,
	"44454c4c-0000-1020-8020-80c04f202020": true,
}

// UsableUUID returns the canonical form of an SMBIOS UUID, or "" when it cannot
// tell machines apart: malformed, one byte repeated (all zeros and all ones
// among them), known to repeat, or with all ones in its last three groups
// (a chipset default seen under several beginnings).
func UsableUUID(s string) string {
	u := strings.ToLower(strings.TrimSpace(s))
	if !uuidForm.MatchString(u) || repeatingUUIDs[u] || strings.HasSuffix(u, "-ffff-ffff-ffffffffffff") {
		return ""
	}
	digits := strings.ReplaceAll(u, "-", "")
	if strings.ReplaceAll(digits, digits[:2], "") == "" {
		return ""
	}
	return u
}

// junkSerials are what board makers leave in the serial number, lower case.
var junkSerials = []string{
	"0", "none", "n/a", "na", "null", "unknown", "empty", "default", "default string", "not specified", "not applicable",
	"not available", "invalid", "system serial number", "serial number", "chassis serial number", "base board serial number",
	"to be filled by o.e.m.", "to be filled by o.e.m", "o.e.m.", "oem", "oem serial number", "sn", "s/n", "serial", "123456789",
	"1234567890", "0123456789", "12345678", "1234567", "123456", "xxxxxxxx", "type1productconfigid", "standard", "no asset tag",
}

// usableSerial returns a serial number that may identify a machine, else "".
func usableSerial(s string) string {
	s = clip(s)
	low := strings.ToLower(s)
	if len(s) < 2 || slices.Contains(junkSerials, low) || strings.Trim(low, low[:1]) == "" {
		return "" // one character repeated says nothing either
	}
	return s
}

// maxText bounds what is kept of each text a machine says of itself, in bytes.
const maxText = 64

// clip keeps the printable ASCII of a text, at most maxText bytes of it.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[:min(len(s), maxText)])
}

// canonicalMAC returns "aa:bb:cc:dd:ee:ff", or "" for what is not an Ethernet
// unicast address.
func canonicalMAC(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 12 {
		s = s[:4] + "." + s[4:8] + "." + s[8:]
	}
	m, err := net.ParseMAC(s)
	if err != nil || len(m) != 6 || m[0]&1 != 0 || m.String() == "00:00:00:00:00:00" {
		return ""
	}
	return m.String()
}

// maxMACs bounds the addresses kept of one device and taken from one claim.
const maxMACs = 16

// normal is a claim with what cannot identify anything taken out.
func normal(c fleet.Claim) fleet.Claim {
	out := fleet.Claim{
		UUID: UsableUUID(c.UUID), Serial: usableSerial(c.Serial),
		Manufacturer: clip(c.Manufacturer), Model: clip(c.Model),
	}
	for _, m := range c.MACs {
		m = canonicalMAC(m)
		if m != "" && !slices.Contains(out.MACs, m) && len(out.MACs) < maxMACs {
			out.MACs = append(out.MACs, m)
		}
	}
	return out
}

// unshared leaves out the addresses that many machines use.
func unshared(macs, shared []string) []string {
	return slices.DeleteFunc(slices.Clone(macs), func(m string) bool {
		return slices.ContainsFunc(shared, func(s string) bool { return canonicalMAC(s) == m })
	})
}
