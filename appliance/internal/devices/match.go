package devices

import (
	"fmt"
	"iter"
	"slices"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// match finds the device of a normal claim. Without a match, note says why an
// apparent one was not taken; "" when the machine is simply new.
func match(tx *state.Tx, c fleet.Claim, shared []string) (d fleet.Device, found bool, note string) {
	macs := unshared(c.MACs, shared)
	if c.UUID != "" {
		same := slices.Collect(tx.Devices().ByUUID(c.UUID))
		if d, ok := only(agreeing(same, c), c, macs); ok {
			return d, true, ""
		}
		if len(same) > 0 {
			return fleet.Device{}, false, fmt.Sprintf("The SMBIOS UUID %s is also that of %s, but the serial number differs or more than one device fits.", c.UUID, names(same))
		}
	}
	if c.Serial != "" && c.Model != "" {
		same := sameModel(tx.Devices().BySerial(c.Serial), c.Model)
		if d, ok := only(agreeing(same, c), c, macs); ok {
			return d, true, ""
		}
		if len(same) > 0 {
			return fleet.Device{}, false, fmt.Sprintf("Serial number and model are also those of %s, but the SMBIOS UUID differs.", names(same))
		}
	}
	return matchMAC(tx, c, macs)
}

// matchMAC takes the one device that has a MAC of the claim and nothing that
// speaks against it.
func matchMAC(tx *state.Tx, c fleet.Claim, macs []string) (fleet.Device, bool, string) {
	var same []fleet.Device
	for _, m := range macs {
		for d := range tx.Devices().ByMAC(m) {
			if !slices.ContainsFunc(same, func(x fleet.Device) bool { return x.ID == d.ID }) {
				same = append(same, d)
			}
		}
	}
	fit := agreeing(same, c)
	if d, ok := only(fit, c, macs); ok {
		return d, true, ""
	}
	switch {
	case len(fit) > 1:
		return fleet.Device{}, false, fmt.Sprintf("Its network adapters are known from more than one device (%s).", names(fit))
	case len(same) > 0:
		return fleet.Device{}, false, fmt.Sprintf("A network adapter of it is known from %s, whose UUID or serial number differs. A dock or USB adapter that several machines use can be marked as shared.", names(same))
	}
	return fleet.Device{}, false, ""
}

// agreeing leaves out the devices that a claim contradicts.
func agreeing(ds []fleet.Device, c fleet.Claim) []fleet.Device {
	return slices.DeleteFunc(slices.Clone(ds), func(d fleet.Device) bool {
		return differ(d.UUID, c.UUID) || differ(d.Serial, c.Serial)
	})
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

// only picks the one device, by MAC where several fit. Where that does not help, it is
// the one made for this very claim: otherwise each repetition would make another.
func only(ds []fleet.Device, c fleet.Claim, macs []string) (fleet.Device, bool) {
	if len(ds) == 1 {
		return ds[0], true
	}
	var near []fleet.Device
	same := -1
	for i, d := range ds {
		has := func(m string) bool { return slices.Contains(d.MACs, m) }
		if slices.ContainsFunc(macs, has) {
			near = append(near, d)
		}
		missing := slices.ContainsFunc(macs, func(m string) bool { return !has(m) })
		if same < 0 && d.UUID == c.UUID && d.Serial == c.Serial && !missing {
			same = i
		}
	}
	switch {
	case len(near) == 1:
		return near[0], true
	case same >= 0:
		return ds[same], true
	}
	return fleet.Device{}, false
}

func sameModel(ds iter.Seq[fleet.Device], model string) []fleet.Device {
	var out []fleet.Device
	for d := range ds {
		if d.Model == model {
			out = append(out, d)
		}
	}
	return out
}

// names lists devices for a note.
func names(ds []fleet.Device) string {
	text := ""
	for i, d := range ds {
		if i == 3 {
			return text + fmt.Sprintf(" and %d more", len(ds)-3)
		}
		if i > 0 {
			text += ", "
		}
		text += DisplayName(d)
	}
	return text
}

// DisplayName is what a device is called where people read it.
func DisplayName(d fleet.Device) string {
	if d.Name != "" {
		return d.Name
	}
	return d.ID
}
