package bootimages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/bootimages/bootimagetest"
)

// The agent for Windows comes from beside the image's own agent, for its processor, and
// its content is part of the image's id.
func TestAgentForWindowsInTheToolPack(t *testing.T) {
	dir := t.TempDir()
	o := Options{Agent: filepath.Join(dir, "slipway-agent"), Architecture: X64}
	for name, c := range map[string]struct {
		content []byte
		tools   *toolRules
		want    string
	}{
		"none":              {nil, &toolRules{}, ""},
		"there":             {bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole), &toolRules{}, "packed"},
		"without tool pack": {bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole), nil, ""},
		"other processor":   {bootimagetest.WindowsProgram(bootimagetest.MachineARM64, bootimagetest.SubsystemConsole), &toolRules{}, "not for x64"},
		"no program":        {[]byte("hello"), &toolRules{}, "not a Windows program"},
	} {
		p := filepath.Join(dir, "slipway-agent.exe")
		if c.content == nil {
			_ = os.Remove(p)
		} else if err := os.WriteFile(p, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		r := &resolved{recipe: &recipe{tools: c.tools}}
		err := r.resolveWindowsAgent(o)
		entries := map[string]tool{}
		if err == nil {
			err = r.addWindowsAgent(entries, &meter{report: func(Progress) {}})
		}
		lines := strings.Join(inputLines(o, r), "\n")
		switch {
		case c.want == "packed" && (err != nil || len(entries[packedWindowsAgent].content) != len(c.content) || !strings.Contains(lines, "agent for Windows sha256:"+r.windows.sum)),
			c.want == "" && (err != nil || len(entries) > 0 || strings.Contains(lines, "agent for Windows")),
			c.want != "" && c.want != "packed" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, %d entries, want %q", name, err, len(entries), c.want)
		}
	}
}

// One that is built anew while the image is would give an image whose id lies.
func TestAgentForWindowsThatChangesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "slipway-agent.exe")
	program := bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole)
	if err := os.WriteFile(p, program, 0o644); err != nil {
		t.Fatal(err)
	}
	r := &resolved{recipe: &recipe{tools: &toolRules{}}}
	if err := r.resolveWindowsAgent(Options{Agent: filepath.Join(dir, "slipway-agent"), Architecture: X64}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, append(program, 0), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.addWindowsAgent(map[string]tool{}, &meter{report: func(Progress) {}}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}
