package winetest

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/agent/winetest/script"
)

// tools are Windows' programs that a test may expect calls of. All are replaced: what
// Wine has of them ends with success and does nothing.
var tools = []string{"diskpart", "dism", "bcdboot", "bcdedit", "reagentc", "drvload", "wpeutil", "wpeinit", "powershell", "djoin", "pnputil",
	"sysprep", "net", "netsh", "shutdown", "schtasks", "sc", "msiexec", "manage-bde", "certutil", "tzutil", "rundll32", "wusa", "reg"}

// Fakes puts fakes before all else in the prefix's PATH.
func (p *Prefix) Fakes(t *testing.T, calls ...script.Call) *Fakes {
	t.Helper()
	f := &Fakes{dir: filepath.Join(p.Dir, "fakes")}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(f.dir, "fake.exe")
	Build(t, exe, "build", "slipway/agent/winetest/fake")
	for _, name := range tools {
		if err := os.Link(exe, filepath.Join(f.dir, name+".exe")); err != nil {
			t.Fatal(err)
		}
	}
	// Services have the environment that the registry names.
	const key = `HKLM\System\CurrentControlSet\Control\Session Manager\Environment`
	p.Run(t, `C:\windows\system32\reg.exe`, "add", key, "/v", "PATH", "/d", WindowsPath(f.dir)+`;C:\windows\system32;C:\windows`, "/f")
	p.Run(t, `C:\windows\system32\reg.exe`, "add", key, "/v", script.Variable, "/d", WindowsPath(f.dir), "/f")
	p.Env = append(p.Env, "WINEPATH="+WindowsPath(f.dir), script.Variable+"="+WindowsPath(f.dir))
	f.Expect(t, calls...)
	return f
}
