package installed

import (
	"io/fs"
	"strings"

	"slipway/agent/internal/facts"
)

// gather reads the machine's facts as the boot image does, and names the system
// that runs: OSVersion tells an installed OS from boot images, OSName says which.
func gather(root fs.FS, arch string) facts.Facts {
	f := facts.Gather(root, arch)
	f["OSVersion"] = "FullOS"
	if name := prettyName(root); name != "" {
		f["OSName"] = name
	}
	return f
}

// prettyName reads os-release(5).
func prettyName(root fs.FS) string {
	for _, file := range []string{"etc/os-release", "usr/lib/os-release"} {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				return strings.Trim(value, `"'`)
			}
		}
	}
	return ""
}
