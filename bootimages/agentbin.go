package bootimages

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// AgentPaths lists where the agent is looked for when no path is given: beside
// the running program, in ./bin and where a package installs it.
func AgentPaths(arch string) []string {
	name := "slipway-agent"
	if arch != X64 {
		name += "-" + arch
	}
	var out []string
	if exe, err := os.Executable(); err == nil {
		out = append(out, filepath.Join(filepath.Dir(exe), name))
	}
	return append(out, filepath.Join("bin", name), filepath.Join("/usr/lib/slipway", name))
}

// findAgent returns the path of an agent that can be an init program.
func findAgent(given, arch string) (string, error) {
	paths := []string{given}
	if given == "" {
		paths = AgentPaths(arch)
	}
	for _, p := range paths {
		err := checkAgent(p, arch)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: %s: %w", ErrNoAgent, p, err)
		}
	}
	return "", fmt.Errorf("%w: looked at %s; run \"make build\", or name it with --agent FILE", ErrNoAgent, strings.Join(paths, ", "))
}

// checkAgent sees that a file is a static Linux program of the architecture: the
// image has no dynamic loader, and the kernel would only say "not found".
func checkAgent(path, arch string) error {
	f, err := elf.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return fmt.Errorf("not a Linux program: %w", err)
	}
	defer f.Close()
	want := map[string]elf.Machine{X64: elf.EM_X86_64, ARM64: elf.EM_AARCH64}[arch]
	if f.Machine != want {
		return fmt.Errorf("built for %s, the image is for %s", f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("dynamically linked: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
