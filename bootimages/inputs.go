package bootimages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// builderFormat is part of every id. It grows whenever the same inputs would give
// other bytes, e.g. with another release of the compressor; the golden test of
// the initrd's hash shows that.
const builderFormat = 3

// inputLines writes the resolved inputs, one line each, in a fixed order: what is
// hashed into the id and kept in the image's record.
func inputLines(o Options, r *resolved) []string {
	lines := []string{
		fmt.Sprintf("builder %d", builderFormat),
		"kind " + KindLinux,
		"architecture " + o.Architecture,
		"profile " + o.Profile,
		"installation " + o.Installation,
		"keyboard " + o.Keyboard,
		fmt.Sprintf("lab %t", o.Lab),
		fmt.Sprintf("protocol %d", o.Protocol),
		"agent " + o.AgentVersion + " sha256:" + r.agentSum,
		r.packerInput(),
	}
	if r.windows.source != "" {
		lines = append(lines, "agent for Windows sha256:"+r.windows.sum)
	}
	for _, s := range o.Servers {
		lines = append(lines, "server "+s)
	}
	for _, f := range r.caSet {
		lines = append(lines, "ca sha256:"+f)
	}
	for _, p := range r.packages {
		lines = append(lines, fmt.Sprintf("package %s %s %s sha256:%s", p.Name, p.Version, p.Architecture, p.SHA256))
	}
	lines = append(lines, r.recipe.sums...)
	for _, f := range r.overlay {
		lines = append(lines, f.input("overlay"))
	}
	for _, f := range r.firmware {
		lines = append(lines, f.input("firmware"))
	}
	return slices.Clip(lines)
}

// imageID is the first 32 hex digits of the SHA-256 of the resolved inputs.
func imageID(lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	return hex.EncodeToString(sum[:16])
}
