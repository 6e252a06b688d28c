package disk

import (
	"errors"
	"fmt"
)

// WipeMethod says how a disk is wiped.
type WipeMethod string

// The ways to wipe. WipeAuto takes the device's own command where it has one that
// can be verified, else it overwrites. The last two are refused in this version.
const (
	WipeAuto       WipeMethod = "auto"
	WipeNVMe       WipeMethod = "nvme-format"       // Format NVM, user data erase
	WipeNVMeCrypto WipeMethod = "nvme-crypto-erase" // Format NVM, cryptographic erase
	WipeOverwrite  WipeMethod = "overwrite"
	WipeSanitize   WipeMethod = "nvme-sanitize"
	WipeATA        WipeMethod = "ata-secure-erase"
)

// WipeReport says what was done and how it was verified. There is one only for a
// disk whose content was verified to be gone.
type WipeReport struct {
	Method  WipeMethod // that was used
	Details string     // for people: "NVMe Format, user data erase; reads as zeros"
	Samples int        // places that were read back
	Seed    uint64     // of the places
}

// ErrUnverified says that a wipe would leave what nobody can look at. Nothing was done.
var ErrUnverified = errors.New("cannot be verified")

// Flash reports whether the disk is flash memory, which keeps copies that no
// overwriting reaches.
func (d Disk) Flash() bool {
	return d.Bus == BusNVMe || d.Bus == BusMMC || !d.Rotational && (d.Bus == BusATA || d.Bus == BusSCSI || d.Bus == BusUSB)
}

// way decides how a disk is wiped: by overwriting, or by an NVMe Format with one of
// the erase settings. ask asks the disk for what it can do; it is not called where
// that does not matter. Sanitize and ATA secure erase are never used: no machine of
// the tests has a disk that carries them out, so that what they leave is not known.
func (d Disk) way(method WipeMethod, ask abilities) (erase uint32, err error) {
	nvme, ata := d.Bus == BusNVMe, d.Bus == BusATA || d.Bus == BusSCSI || d.Bus == BusUSB // the latter two may carry ATA disks
	switch {
	case method == WipeOverwrite, method == WipeAuto && !d.Flash():
		return 0, nil
	case !nvme && (method == WipeNVMe || method == WipeNVMeCrypto || method == WipeSanitize), !ata && method == WipeATA:
		return 0, fmt.Errorf("%w: %s: the method %s is not for this kind of disk; nothing was done", ErrRefused, d, method)
	case method == WipeSanitize:
		n, err := ask.nvme()
		return 0, d.unproven("NVMe Sanitize", n.can.String(), err)
	case method == WipeNVMeCrypto:
		erase = eraseCrypto
	case method == WipeNVMe, method == WipeAuto && nvme:
		erase = eraseUserData
	case method != WipeAuto && method != WipeATA:
		return 0, fmt.Errorf("%w: there is no method %q; nothing was done", ErrRefused, method)
	case d.Bus == BusMMC:
		return 0, d.unproven("the device's own erase command", "", nil)
	default:
		a, err := ask.ata()
		return 0, d.unproven("ATA secure erase", a.String(), err)
	}
	n, err := ask.nvme()
	if err == nil {
		err = n.refuses(erase)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w; nothing was done", d, err)
	}
	return erase, nil
}

// abilities are questions to a disk.
type abilities struct {
	nvme func() (nvmeDisk, error)
	ata  func() (ataSecurity, error)
}

// unproven refuses a command that this version does not use, and says what the disk
// has. err says why it could not be asked.
func (d Disk) unproven(command, has string, err error) error {
	if err != nil {
		has = "it does not tell what it has: " + err.Error()
	} else if has != "" {
		has = "it has: " + has
	}
	if has != "" {
		has = " (" + has + ")"
	}
	return fmt.Errorf("%s: %w: %s is not proven and not used in this version%s; nothing was done", d, ErrUnverified, command, has)
}
