package bootimages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// packedWindowsAgent is where the agent for Windows lies in the tool pack: a Windows
// that the Linux boot image installs gets it from there.
const packedWindowsAgent = "usr/bin/slipway-agent.exe"

// resolveWindowsAgent names the agent for Windows: the one beside the given agent, else
// where such agents are installed. Without one the image is built all the same.
func (r *resolved) resolveWindowsAgent(o Options) error {
	if r.recipe.tools == nil {
		return nil
	}
	paths := WindowsAgentPaths(o.Architecture)
	if o.Agent != "" {
		paths = []string{filepath.Join(filepath.Dir(o.Agent), filepath.Base(paths[0]))}
	}
	for _, p := range paths {
		if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		p, err := FindWindowsAgent(p, o.Architecture)
		if err != nil {
			return err
		}
		r.windows = folderFile{name: packedWindowsAgent, source: p}
		if r.windows.sum, r.windows.size, err = hashFile(p); err != nil {
			return fmt.Errorf("agent for Windows: %w", err)
		}
		return nil
	}
	return nil
}

// addWindowsAgent puts it among the entries of the pack.
func (r *resolved) addWindowsAgent(entries map[string]tool, m *meter) error {
	if r.windows.source == "" {
		m.note("warning: no agent for Windows was found (run \"make build\"): a Windows installed by this image does not go on with its task sequence")
		return nil
	}
	content, err := os.ReadFile(r.windows.source)
	if err != nil {
		return fmt.Errorf("agent for Windows: %w", err)
	}
	if Fingerprint(content) != r.windows.sum {
		return fmt.Errorf("%s: %w: it changed while the image was built; build again", r.windows.source, ErrCorrupt)
	}
	entries[packedWindowsAgent] = tool{content: content, mode: 0o755}
	return nil
}
