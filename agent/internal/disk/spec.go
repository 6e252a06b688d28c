package disk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The layouts by name.
const (
	LayoutLinux   = "linux"
	LayoutWindows = "windows"
	LayoutCustom  = "custom"
)

// Spec is what is wanted of a disk. Table empty: by firmware.
type Spec struct {
	Layout   string
	Firmware Firmware
	Table    TableKind
	BothWays bool  // linux: boots by UEFI and by BIOS
	SwapMiB  int64 // linux; 0: none
	Wants    []Want
}

// Want is one wanted partition.
type Want struct {
	Role  Role
	Size  Size
	FS    string // empty: the role's own
	Label string
}

// Sizes of the built-in layouts, in MiB.
const (
	linuxESP        = 512
	biosBoot        = 1
	windowsESP      = 499
	windowsMSR      = 128
	windowsRecovery = 1024
)

// Errors of what is wanted, or of a disk that cannot take it.
var (
	ErrSpec     = errors.New("the layout cannot be")
	ErrTooSmall = errors.New("the disk is too small")
)

// table chooses the kind of table: UEFI needs a GPT; a BIOS gets an MBR, unless the
// disk is larger than an MBR can describe or has to boot by UEFI as well.
func (s Spec) table(g Geometry) (TableKind, error) {
	limit := int64(1) << 32 * int64(g.SectorSize)
	switch {
	case s.Table == "" && (s.Firmware == UEFI || s.BothWays || g.Size > limit || len(s.wants(MBR)) > 4):
		return GPT, nil
	case s.Table == "":
		return MBR, nil
	case s.Table != GPT && s.Table != MBR:
		return "", fmt.Errorf("%w: %q is no partition table: gpt or mbr", ErrSpec, s.Table)
	case s.Table == MBR && s.Firmware == UEFI:
		return "", fmt.Errorf("%w: this machine boots by UEFI, which needs a GPT", ErrSpec)
	case s.Table == MBR && s.BothWays:
		return "", fmt.Errorf("%w: a disk that boots by UEFI and by BIOS needs a GPT", ErrSpec)
	case s.Table == MBR && g.Size > limit:
		return "", fmt.Errorf("%w: an MBR describes %s at most, the disk has %s: use a GPT", ErrSpec, Bytes(limit), Bytes(g.Size))
	}
	return s.Table, nil
}

// wants lists the partitions for a kind of table.
func (s Spec) wants(t TableKind) []Want {
	fixed := func(r Role, n int64) Want { return Want{Role: r, Size: Size{MiB: n}} }
	var list []Want
	switch s.Layout {
	case LayoutLinux:
		if t == GPT && (s.Firmware == BIOS || s.BothWays) {
			list = append(list, fixed(RoleBIOSBoot, biosBoot))
		}
		if s.Firmware == UEFI || s.BothWays {
			list = append(list, fixed(RoleESP, linuxESP))
		}
		if s.SwapMiB > 0 {
			list = append(list, fixed(RoleSwap, s.SwapMiB))
		}
		return append(list, Want{Role: RoleRoot, Size: Size{Rest: true}}) // last: it can grow later
	case LayoutWindows:
		list = append(list, fixed(RoleESP, windowsESP))
		if t == GPT {
			list = append(list, fixed(RoleMSR, windowsMSR))
		}
		return append(list, Want{Role: RoleWindows, Size: Size{Rest: true}}, fixed(RoleRecovery, windowsRecovery))
	}
	return s.Wants
}

// check says what is wrong with what is wanted, whatever the disk.
func (s Spec) check() error {
	switch {
	case s.Firmware != UEFI && s.Firmware != BIOS:
		return fmt.Errorf("%w: %q is no firmware", ErrSpec, s.Firmware)
	case !slices.Contains([]string{LayoutLinux, LayoutWindows, LayoutCustom}, s.Layout):
		return fmt.Errorf("%w: there is no layout %q", ErrSpec, s.Layout)
	case s.Layout == LayoutCustom && len(s.Wants) == 0:
		return fmt.Errorf("%w: it names no partition", ErrSpec)
	case s.SwapMiB < 0 || s.SwapMiB > 1<<20:
		return fmt.Errorf("%w: %d MiB of swap", ErrSpec, s.SwapMiB)
	}
	return nil
}

// checkWants says what is wrong with a list of partitions for a kind of table.
func checkWants(list []Want, t TableKind) error {
	rests, percent, seen := 0, 0, map[Role]bool{}
	for i, w := range list {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%w: partition %d (%s): %s", ErrSpec, i+1, w.Role, fmt.Sprintf(format, args...))
		}
		role, ok := roles[w.Role]
		switch {
		case !ok:
			return fail("there is no such role; the roles are %s", roleNames())
		case t == MBR && role.mbr == "":
			return fail("it needs a GPT")
		case seen[w.Role] && w.Role != RoleData:
			return fail("there is one already")
		case !slices.Contains(role.fs, fsOf(w)):
			return fail("file system %q: it takes %s", w.FS, strings.Join(role.fs, " or "))
		case !labelFits(w):
			return fail("label %q: letters, digits, _, - and ., at most %d", w.Label, longestLabel[fsOf(w)])
		}
		seen[w.Role] = true
		if w.Size.Rest {
			rests++
		}
		percent += w.Size.Percent
	}
	switch {
	case rests > 1:
		return fmt.Errorf("%w: only one partition can take the rest", ErrSpec)
	case percent > 100:
		return fmt.Errorf("%w: the shares are %d%% in all", ErrSpec, percent)
	case t == MBR && len(list) > 4:
		return fmt.Errorf("%w: an MBR holds 4 partitions, %d are wanted: use a GPT", ErrSpec, len(list))
	case len(list) > 128:
		return fmt.Errorf("%w: a GPT holds 128 partitions, %d are wanted", ErrSpec, len(list))
	}
	return nil
}

// longestLabel by file system; those without a label are not in it.
var longestLabel = map[string]int{FSVFAT: 11, FSExt4: 16, FSSwap: 15, FSNTFS: 32}

func labelFits(w Want) bool {
	if len(w.Label) > longestLabel[fsOf(w)] || strings.HasPrefix(w.Label, "-") {
		return false
	}
	for _, c := range []byte(w.Label) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// ParseWants reads a custom layout, a partition on each line:
//
//	ROLE SIZE [fs=FS] [label=LABEL]
//
// Empty lines and those that begin with # are left out.
func ParseWants(text string) ([]Want, error) {
	var list []Want
	n := 0
	for line := range strings.Lines(text) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 2 {
			return nil, fmt.Errorf("line %d: a role and a size are needed, as in: root rest", n)
		}
		size, err := ParseSize(f[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		w := Want{Role: Role(f[0]), Size: size}
		for _, word := range f[2:] {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "fs":
				w.FS = value
			case "label":
				w.Label = value
			default:
				return nil, fmt.Errorf("line %d: %q: write fs=FS or label=LABEL", n, word)
			}
		}
		if list = append(list, w); len(list) > 128 {
			return nil, errors.New("more than 128 partitions")
		}
	}
	return list, nil
}
