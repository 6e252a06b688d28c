package bootimages

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest"
	"slipway/agent/winetest/script"
)

// start.cmd runs under Wine, with fakes of Windows PE's tools: drivers before the
// network, hooks around it, the agent last and again when it fails; what fails in
// between is named and holds up nothing. Root certificates reach the registry.
func TestWinPEStartCommandUnderWine(t *testing.T) {
	w := everything(t)
	w.file("drivers/nic/e3.inf", infX64)
	w.file("hooks/before-network/10-first.cmd", "@wpeutil before\r\n@exit /b 3\r\n")
	w.file("hooks/before-network/20 second.bat", "@wpeutil second\r\n")
	i := w.built()
	p := winetest.New(t)
	fakes := p.Fakes(t,
		script.Call{Program: "drvload", Args: []string{`C:\slipway\drivers\nic\e1.inf`}, Exit: 1},
		script.Call{Program: "drvload", Args: []string{`C:\slipway\drivers\nic\e3.inf`}, Output: "driver loaded\n"},
		script.Call{Program: "wpeutil", Args: []string{"before"}},
		script.Call{Program: "wpeutil", Args: []string{"second"}},
		script.Call{Program: "wpeinit", Args: []string{}},
		script.Call{Program: "powershell", Args: []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", `C:\slipway\hooks\after-network\net.ps1`}},
		script.Call{Program: "slipway-agent", Args: []string{"winpe"}, Exit: 7},
		script.Call{Program: "slipway-agent", Args: []string{"winpe"}})
	for name, content := range inside(t, w.path(i, BootWIM)) {
		if !strings.HasPrefix(name, "/slipway/") || strings.HasSuffix(name, "/") {
			continue
		}
		to := filepath.Join(p.C, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(content), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	agent := filepath.Join(p.C, "slipway", "slipway-agent.exe")
	// Wine's own reg enters the certificates, and is asked for them below.
	if err := os.Remove(filepath.Join(p.Dir, "fakes", "reg.exe")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(agent), os.Link(filepath.Join(p.Dir, "fakes", "fake.exe"), agent)); err != nil {
		t.Fatal(err)
	}
	out := p.Run(t, "cmd", "/d", "/c", `C:\slipway\start.cmd`)
	fakes.Done(t)
	for _, want := range []string{"Slipway: boot image " + i.ID[:12], `the driver nic\e1.inf was not loaded`, `the hook before-network\10-first.cmd failed`, "starting the network", "the agent ended with 7"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	if strings.Contains(out, "e3.inf") || strings.Contains(out, "20 second") || strings.Contains(out, "root certificates were not added") {
		t.Errorf("what succeeded is named as failed:\n%s", out)
	}
	if log, err := os.ReadFile(filepath.Join(p.C, "slipway", "start.log")); err != nil || !strings.Contains(string(log), "driver loaded") {
		t.Errorf("start.log %q, %v", log, err)
	}
	root, err := os.ReadFile(filepath.Join(w.dir, "roots", "a.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(root)
	store := p.Run(t, "reg", "query", `HKLM\SOFTWARE\Microsoft\SystemCertificates\ROOT\Certificates`, "/s")
	if !strings.Contains(strings.ToLower(store), hex.EncodeToString(block.Bytes)) {
		t.Errorf("the certificate is not in the registry:\n%.2000s", store)
	}
}
