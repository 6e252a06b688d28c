package tasksequence

import "slices"

// linuxTargets are the steps that work, from the Linux boot image, on a Linux on the
// target disk only.
func linuxTargets() []string { return []string{CaptureImage, PrepareForCapture} }

// targets reports a step that finds a Windows on the target disk, and can do nothing
// with it from the Linux boot image.
func (f *foresight) targets(n *PlanNode, at places, sure bool) {
	if !slices.Contains(linuxTargets(), n.Define.ID) {
		return
	}
	wrong := 0
	for s := range at {
		if s.environment == LinuxPE && s.system == Windows {
			wrong++
		}
	}
	if wrong > 0 {
		f.report(n, Problem{Field: "definition", Warning: !sure || wrong < len(at),
			Detail: n.Define.Name + " works on a Linux on the target disk, and here that is laid out for Windows",
			Remedy: "Remove it, or let Format disk make the layout linux."})
	}
}
