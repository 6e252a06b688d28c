package disk

// WipeMethod says how a disk is wiped.
type WipeMethod string

// The ways to wipe. WipeAuto takes the device's own command where it has one that
// can be verified, else it overwrites.
const (
	WipeAuto      WipeMethod = "auto"
	WipeNVMe      WipeMethod = "nvme-format" // NVMe Format or Sanitize
	WipeATA       WipeMethod = "ata-secure-erase"
	WipeOverwrite WipeMethod = "overwrite"
)

// WipeReport says what was done and how it was verified. There is one only for a
// disk whose content was verified to be gone.
type WipeReport struct {
	Method  WipeMethod // that was used
	Details string     // for people: "NVMe Format, user data erase"
	Samples int        // places that were read back
	Seed    uint64     // of the places
}
