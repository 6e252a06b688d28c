package tasksequence

import (
	"regexp"
	"slices"
	"strings"
)

// spot is a place in which a run may be.
type spot struct {
	environment string
	prepared    bool   // the disk's operating system goes on with the sequence
	system      string // on the disk, Linux or Windows; empty: not known
	image       string // environment of the device's boot image; empty: not known
	staged      bool   // that boot image came from the device's own disk
}

// startingPoint is where a run begins that begins in an environment.
func startingPoint(environment, system string) spot {
	if environment == FullOS {
		return spot{environment: FullOS, prepared: true, system: system}
	}
	return spot{environment: environment, image: environment}
}

// running is the system in which the agent runs; empty: not known.
func (s spot) running() string {
	switch s.environment {
	case LinuxPE:
		return Linux
	case WinPE:
		return Windows
	}
	return s.system
}

// narrowed is the place with what is known of it once a step of a definition runs
// there; false when it cannot.
func (s spot) narrowed(d Definition) (spot, bool) {
	if !slices.Contains(d.Environments, s.environment) {
		return s, false
	}
	if s.environment != FullOS || len(d.Systems) == 0 {
		return s, true
	}
	if s.system == "" {
		s.system = d.soleSystem()
		return s, true
	}
	return s, slices.Contains(d.Systems, s.system)
}

// written is the place after a step that writes the disk anew.
func (s spot) written(n *PlanNode) spot {
	s.prepared = s.environment == FullOS
	switch {
	case n.Define.ID == WipeDisk:
		s.system = ""
	case s.environment == WinPE:
		s.system = Windows
	case n.Define.ID == FormatDisk:
		s.system = layoutSystem(n)
	case n.Define.ID == ApplyChromeOSFlex, n.Define.ID == ApplyIGELImage:
		s.system = Linux
	}
	return s
}

// onDisk is where a restart from the disk leads.
func (s spot) onDisk() spot {
	s.environment, s.prepared = FullOS, true
	return s
}

// stages reports whether the agent puts a Windows PE onto the disk for a restart from the
// boot image: a Reboot step says from where, and the device is in an installed Windows.
func (s spot) stages(from string) bool {
	if s.environment != FullOS || s.system != Windows {
		return false
	}
	return from == BootImageFromDisk || from == BootImageAutomatic && (s.image == "" || s.staged)
}

// inImage is where a restart from the boot image leads: to that of which the device
// started before, or to the Windows PE that was put onto its disk.
func (s spot) inImage(from string) []spot {
	if s.stages(from) {
		s.environment, s.image, s.staged = WinPE, WinPE, true
		return []spot{s}
	}
	if s.image != "" {
		s.environment = s.image
		return []spot{s}
	}
	linux, windows := s, s
	linux.environment, linux.image = LinuxPE, LinuxPE
	windows.environment, windows.image = WinPE, WinPE
	return []spot{linux, windows}
}

// windowsRole finds the partition for Windows in a layout of one's own, rootRole that
// for Linux.
var (
	windowsRole = regexp.MustCompile(`(?im)^\s*windows\s`)
	rootRole    = regexp.MustCompile(`(?im)^\s*root\s`)
)

// layoutSystem is the system for which a Format disk step makes partitions; empty when
// that cannot be told.
func layoutSystem(n *PlanNode) string {
	text := func(name string) string {
		o, _ := n.Define.Option(name)
		value, _, err := settingOf(o, n.Node)
		if err != nil || value.IsList() {
			return ""
		}
		return value.Text
	}
	switch text("Layout") {
	case LayoutLinux:
		return Linux
	case LayoutWindows:
		return Windows
	case LayoutCustom:
		windows, linux := windowsRole.MatchString(text("Partitions")), rootRole.MatchString(text("Partitions"))
		switch {
		case windows && !linux:
			return Windows
		case linux && !windows:
			return Linux
		}
	}
	return ""
}

// places are all that are possible at a point of the sequence.
type places map[spot]struct{}

func (p places) environments() []string {
	var names []string
	for s := range p {
		names = append(names, s.environment)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// words names the places, with the installed system where that makes the difference.
func (p places) words(d Definition) []string {
	var names []string
	for s := range p {
		name := s.environment
		if name == FullOS && s.system != "" && slices.Contains(d.Environments, FullOS) {
			name += " (" + systemName(s.system) + ")"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p places) change(to func(spot) []spot) places {
	out := places{}
	for s := range p {
		for _, next := range to(s) {
			out[next] = struct{}{}
		}
	}
	return out
}

// systemName is what people call a system.
func systemName(system string) string {
	if system == "" {
		return ""
	}
	return strings.ToUpper(system[:1]) + system[1:]
}
