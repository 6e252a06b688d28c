package installed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/targetstate"
)

// newSystem is the root of a system that does not run, with or without systemd.
func newSystem(t *testing.T, systemd bool) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/lib/systemd", "etc/systemd/system", "usr/local/sbin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if systemd {
		if err := os.WriteFile(filepath.Join(root, "usr/lib/systemd/systemd"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func placement(t *testing.T) Placement {
	t.Helper()
	agent := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(agent, []byte("the agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Load(filepath.Join("testdata", "agent-config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return Placement{Executable: agent, Server: c.Server, Installation: c.Installation, Authorities: c.Authorities}
}

// What is placed is what a start reads there: the configuration loads, the service
// names files that exist, and all of it goes again.
func TestThePlacedAgentGoesOnAndGoesAway(t *testing.T) {
	root, p := newSystem(t, true), placement(t)
	for range 2 { // a step that runs again
		if err := p.Into(root); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(filepath.Join(root, placedConfig))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Temporary || c.Server != p.Server || c.Installation != p.Installation || len(c.Authorities) != len(p.Authorities) {
		t.Errorf("configuration: %+v", c)
	}
	unit, err := os.ReadFile(filepath.Join(root, unitFolder, unitName))
	if err != nil || !strings.HasPrefix(string(unit), unitMark) {
		t.Fatalf("service: %s, %v", unit, err)
	}
	if want := `ExecStart="` + placedAgent + `" "start" "--unattended" "--config" "` + placedConfig + `" "--state" "` + targetstate.Folder + `"`; !strings.Contains(string(unit), want) {
		t.Errorf("service: %s", unit)
	}
	if link, err := os.Readlink(filepath.Join(root, unitFolder, "multi-user.target.wants", unitName)); err != nil || link != unitFolder+"/"+unitName {
		t.Errorf("enabled: %s, %v", link, err)
	}
	if text, err := os.ReadFile(filepath.Join(root, placedAgent)); err != nil || string(text) != "the agent" {
		t.Errorf("agent: %s, %v", text, err)
	}
	if err := unplace(root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{placedAgent, placedConfig} {
		if _, err := os.Stat(filepath.Join(root, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// A deployment that ends in the boot image leaves no agent on the disk; an agent that
// somebody else put there stays.
func TestUnplaceRemovesThePlacedAgentOnly(t *testing.T) {
	root, p := newSystem(t, true), placement(t)
	if err := p.Into(root); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more after a power loss
		if err := Unplace(root); err != nil {
			t.Fatal(err)
		}
	}
	wants := filepath.Join(unitFolder, "multi-user.target.wants", unitName)
	for _, name := range []string{placedAgent, placedConfig, wants, filepath.Join(unitFolder, unitName)} {
		if _, err := os.Lstat(filepath.Join(root, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if err := p.Into(root); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{placedConfig: `{"Server": "192.0.2.1"}`, filepath.Join(unitFolder, unitName): "[Unit]\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Unplace(root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{placedAgent, placedConfig, wants, filepath.Join(unitFolder, unitName)} {
		if _, err := os.Lstat(filepath.Join(root, name)); err != nil {
			t.Errorf("not ours, and gone: %v", err)
		}
	}
}

func TestASystemWithoutSystemdIsRefused(t *testing.T) {
	root := newSystem(t, false)
	if err := placement(t).Into(root); !errors.Is(err, ErrNoSystemd) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(root, placedAgent)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written all the same: %v", err)
	}
}

// A link in an image leads nowhere else.
func TestPlacementStaysBelowTheRoot(t *testing.T) {
	root, outside := newSystem(t, true), t.TempDir()
	if err := os.Remove(filepath.Join(root, "usr/local/sbin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "usr/local/sbin")); err != nil {
		t.Fatal(err)
	}
	if err := placement(t).Into(root); err == nil {
		t.Error("a link out of the system was followed")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Error("written outside")
	}
}
