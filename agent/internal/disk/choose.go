package disk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The rules by which a disk is chosen.
const (
	ByIndex    = "index"
	BySmallest = "smallest"
	ByLargest  = "largest"
	ByFastest  = "fastest"
	BySerial   = "serial"
)

// Rule says which disk is meant. Type narrows all rules to disks on that bus.
type Rule struct {
	By        string
	Index     int    // ByIndex: from 0, among the disks that are no USB or removable ones
	Serial    string // BySerial
	Type      Bus    // empty: any
	Protected []string
}

// ErrRefused says that the disk is there but must not be touched.
var ErrRefused = errors.New("the disk is not touched")

// Choose names the disk that a rule means. Smallest, largest and fastest pass over
// disks that must not be touched; index and serial, which mean one disk, refuse it
// with ErrRefused. USB and removable disks are only taken when Type or Serial ask
// for them. ErrNotFound lists what there is.
func Choose(list []Disk, r Rule) (Disk, error) {
	var fit []Disk
	for _, d := range list {
		if r.Type != "" && d.Bus != r.Type || r.Type == "" && r.By != BySerial && d.External() {
			continue
		}
		fit = append(fit, d)
	}
	switch r.By {
	case ByIndex, "":
		if r.Index < 0 || r.Index >= len(fit) {
			return Disk{}, notFound(list, "no disk number %d", r.Index)
		}
		return refuse(fit[r.Index], r)
	case BySerial:
		fit = slices.DeleteFunc(fit, func(d Disk) bool { return r.Serial == "" || !strings.EqualFold(d.Serial, r.Serial) })
		if len(fit) > 1 {
			return Disk{}, fmt.Errorf("%w: %d disks have the serial number %q", ErrRefused, len(fit), r.Serial)
		}
		if len(fit) == 0 {
			return Disk{}, notFound(list, "no disk with the serial number %q", r.Serial)
		}
		return refuse(fit[0], r)
	}
	compare, ok := map[string]func(a, b Disk) int{
		BySmallest: func(a, b Disk) int { return compareInt(a.Size, b.Size) },
		ByLargest:  func(a, b Disk) int { return compareInt(b.Size, a.Size) },
		ByFastest:  func(a, b Disk) int { return compareInt(speed(a), speed(b)) },
	}[r.By]
	if !ok {
		return Disk{}, fmt.Errorf("there is no rule %q for choosing a disk", r.By)
	}
	var refused []error
	fit = slices.DeleteFunc(fit, func(d Disk) bool {
		_, err := refuse(d, r)
		if err != nil {
			refused = append(refused, err)
		}
		return err != nil
	})
	if len(fit) == 0 {
		return Disk{}, errors.Join(append([]error{notFound(list, "no disk that may be used")}, refused...)...)
	}
	return slices.MinFunc(fit, compare), nil // the first of equals
}

func refuse(d Disk, r Rule) (Disk, error) {
	why := ""
	switch {
	case d.Boot:
		why = cmp.Or(d.bootWhy, "the machine booted from it")
	case d.protectedBy(r.Protected):
		why = "it is in the list of protected disks"
	case d.ReadOnly:
		why = "it is read-only"
	case d.InUse != "":
		return d, fmt.Errorf("%w: %s: %w: %s", ErrRefused, d, ErrInUse, d.InUse)
	}
	if why != "" {
		return d, fmt.Errorf("%w: %s: %s", ErrRefused, d, why)
	}
	return d, nil
}

// protectedBy matches entries against serial, id, name and model, without regard to
// case. An entry that ends in * stands for all that begin so.
func (d Disk) protectedBy(list []string) bool {
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		prefix, open := strings.CutSuffix(entry, "*")
		for _, own := range []string{d.Serial, d.ID, d.Name, d.Model} {
			own = strings.ToLower(own)
			if entry != "" && own != "" && (own == entry || open && strings.HasPrefix(own, prefix)) {
				return true
			}
		}
	}
	return false
}

// speed ranks disks; lower is faster. It knows kinds, not models.
func speed(d Disk) int64 {
	switch {
	case d.External():
		return 5
	case d.Bus == BusNVMe:
		return 0
	case d.Rotational:
		return 4
	case d.Bus == BusMMC:
		return 3
	}
	return 1
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func notFound(list []Disk, format string, args ...any) error {
	var there []string
	for _, d := range list {
		there = append(there, d.String())
	}
	have := "this machine has none that the boot image knows a driver for"
	if len(there) > 0 {
		have = "this machine has: " + strings.Join(there, "; ")
	}
	return fmt.Errorf("%w: %s; %s", ErrNotFound, fmt.Sprintf(format, args...), have)
}
