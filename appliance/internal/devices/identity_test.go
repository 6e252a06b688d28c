package devices

import (
	"slices"
	"strings"
	"testing"

	"slipway/fleet"
)

func TestUsableUUID(t *testing.T) {
	for in, want := range map[string]string{
		"7A5E0D10-1C2D-4E3F-8A4B-5C6D7E8F9A0B":    "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b",
		" 7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b\n": "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b", // as read from sysfs
		"00000000-0000-0000-0000-000000000000":    "",
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF":    "",
		"58585858-5858-5858-5858-585858585858":    "",
		"03000200-0400-0500-0006-000700080009":    "",
		"03000200-0400-0500-0006-000700080008":    "03000200-0400-0500-0006-000700080008",
		"93309712-FFFF-FFFF-FFFF-FFFFFFFFFFFF":    "",
		"Not Settable":                            "",
		"":                                        "",
		"7a5e0d101c2d4e3f8a4b5c6d7e8f9a0b":        "",
		"7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0g":    "",
	} {
		if got := UsableUUID(in); got != want {
			t.Errorf("UsableUUID(%q) = %q, want %q", in, got, want)
		}
	}
	for u := range repeatingUUIDs {
		if !uuidForm.MatchString(u) {
			t.Errorf("%q in the list can never match", u)
		}
	}
}

func TestUsableSerial(t *testing.T) {
	for in, want := range map[string]string{
		"5CD1234XYZ": "5CD1234XYZ", " PF-12 ": "PF-12", "VMware-56 4d": "VMware-56 4d",
		"": "", "0": "", "00000000": "", "To be filled by O.E.M.": "", "TO BE FILLED BY O.E.M.": "", "Default string": "",
		"System Serial Number": "", "xxxx": "", "None": "", "Not Specified": "", "A": "", "\x00\x01": "",
	} {
		if got := usableSerial(in); got != want {
			t.Errorf("usableSerial(%q) = %q, want %q", in, got, want)
		}
	}
	for _, j := range junkSerials {
		if j != strings.ToLower(j) {
			t.Errorf("%q in the list can never match", j)
		}
	}
}

func TestNormal(t *testing.T) {
	c := fleet.Claim{Model: strings.Repeat("m", 100) + "\n", MACs: []string{
		"52-54-00-AA-BB-CC", "525400aabbcc", "52:54:00:aa:bb:cc", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "junk", "",
	}}
	n := normal(c)
	if !slices.Equal(n.MACs, []string{"52:54:00:aa:bb:cc"}) || len(n.Model) != maxText {
		t.Errorf("%+v", n)
	}
	for i := range 100 {
		c.MACs = append(c.MACs, "52:54:00:00:00:"+string("0123456789abcdef"[i/16])+string("0123456789abcdef"[i%16]))
	}
	if n := normal(c); len(n.MACs) != maxMACs {
		t.Errorf("%d addresses taken from one claim", len(n.MACs))
	}
}

func FuzzNormal(f *testing.F) {
	f.Add("7A5E0D10-1C2D-4E3F-8A4B-5C6D7E8F9A0B", "52-54-00-AA-BB-CC", "S/N 1", "Model")
	f.Add("\x00", "525400aabbcc", "To be filled by O.E.M.", strings.Repeat("x", 70))
	f.Fuzz(func(t *testing.T, uuid, mac, serial, model string) {
		a := normal(fleet.Claim{UUID: uuid, MACs: []string{mac}, Serial: serial, Model: model})
		b := normal(a)
		if a.UUID != b.UUID || a.Serial != b.Serial || a.Model != b.Model || !slices.Equal(a.MACs, b.MACs) {
			t.Fatalf("normal is not stable: %+v then %+v", a, b)
		}
		if len(a.Serial) > maxText || len(a.Model) > maxText {
			t.Fatalf("too long: %+v", a)
		}
	})
}
