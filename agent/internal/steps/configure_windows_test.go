package steps

import (
	"os"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/windowstarget"
	fakes "slipway/agent/winetest/script"
	"slipway/tasksequence"
)

const powerShellFile = "powershell -ExecutionPolicy Bypass -NoLogo -NoProfile -NonInteractive -File *.ps1"

// ownScript is a call of one of our own scripts.
func ownScript(text, output string, args ...string) fakes.Call {
	c := call(powerShellFile)
	c.Args = append(c.Args, args...)
	c.InputAt, c.Input, c.Output = 6, "\ufeff"+text, output
	return c
}

func TestConfigureOperatingSystemOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.set("SystemLocale", "de-DE")
	b.set("UILanguage", "de-DE")
	b.set("InputLocale", "0407:00000407")
	settings := map[string]any{"ComputerName": "PC 7 & more", "TimeZone": "Europe/Berlin", "InputLocale": "fr-FR;0409:00000409"}
	out := b.works(tasksequence.ConfigureOperatingSystem, settings,
		ownScript(configureScript, "time zone: x\r\nslipway: restart=1\r\n", "-ComputerName", "PC 7 & more", "-TimeZone", "W. Europe Standard Time",
			"-SystemLocale", "de-DE", "-UILanguage", "de-DE", "-InputLocale", "fr-FR;0409:00000409"))
	if out.Restart == nil || out.Restart.Target != tasksequence.RebootDisk || out.Restart.Again {
		t.Errorf("%+v", out)
	}
	b.logged("info time zone: x")

	b = newWinBench(t)
	certificate := func(pem string) fakes.Call {
		c := call(`certutil -f -addstore Root *.cer`)
		c.InputAt, c.Input = 3, pem
		return c
	}
	if out := b.works(tasksequence.ConfigureOperatingSystem, map[string]any{"ImportRootCerts": true}, certificate("PEM 1"), certificate("PEM 2")); out.Restart != nil {
		t.Errorf("%+v", out)
	}
	_, err := b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"ImportRootCerts": true}, exits(certificate("PEM 1"), 5, "denied\r\n"))
	b.fails(err, "trust the appliance's authority", "exit code 5", "denied")
	if out := b.works(tasksequence.ConfigureOperatingSystem, map[string]any{"TimeZone": "UTC"}, ownScript(configureScript, "slipway: restart=0\r\n", "-TimeZone", "UTC")); out.Restart != nil {
		t.Errorf("%+v", out)
	}
	_, err = b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"TimeZone": "Nowhere/Land"})
	b.fails(err, "Nowhere/Land")
	_, err = b.run(tasksequence.ConfigureOperatingSystem, map[string]any{"ComputerName": "x"}, exits(ownScript(configureScript, "", "-ComputerName", "x"), 1, ""))
	b.fails(err, "PowerShell ended with exit code 1")
}

// From WinPE the answer file names the computer and has it trust the appliance.
func TestConfigureTheTargetOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.inWinPE()
	var closed []string
	protect = func(name string) error {
		closed = append(closed, name)
		return windowstarget.Protect(name)
	}
	t.Cleanup(func() { protect = windowstarget.Protect })
	b.works(tasksequence.ConfigureOperatingSystem, map[string]any{"ComputerName": "PC-9", "ImportRootCerts": true})
	text, err := os.ReadFile(b.root + answerFile)
	for _, want := range []string{"<ComputerName>PC-9</ComputerName>", `certutil.exe -f -addstore Root %SystemRoot%\Setup\Slipway\authority-2.cer`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: no %q in %s", err, want, text)
		}
	}
	if !slices.Equal(closed, []string{b.root + answerFile + ".part"}) { // passwords may be in it
		t.Errorf("closed to others: %q", closed)
	}
	if pem, err := os.ReadFile(b.root + `Windows\Setup\Slipway\authority-2.cer`); err != nil || string(pem) != "PEM 2\n" {
		t.Errorf("%q, %v", pem, err)
	}
}

func TestEnableAdministratorAccountOnWindows(t *testing.T) {
	b := newWinBench(t)
	if err := b.vars.SetSystem("AdminPassword", tasksequence.Value{Text: "hunter2 & ü", Secret: true}); err != nil {
		t.Fatal(err)
	}
	c := ownScript(administratorScript, "Administrator has a new password\r\n", "-Account", "root")
	c.Stdin = "aAB1AG4AdABlAHIAMgAgACYAIAD8AA=="
	b.works(tasksequence.EnableAdministratorAccount, nil, c)
	if strings.Contains(strings.Join(b.lines, "\n"), "hunter2") {
		t.Errorf("the password is logged: %q", b.lines)
	}
	b = newWinBench(t)
	_, err := b.run(tasksequence.EnableAdministratorAccount, nil)
	b.fails(err, "there is no password")
}

func TestInjectDriversOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.items.add("pack", "", map[string]string{"net/e1.inf": "x", "net/e1.sys": "x"})
	add := call(`pnputil /add-driver %sProgramData\Slipway\tmp\work\pack\*.inf /subdirs /install`, b.root)
	for code, restart := range map[int]bool{0: false, 259: false, 3010: true, 1641: true} {
		for definition, settings := range map[string]map[string]any{tasksequence.InjectDriverPack: {"DriverPack": "pack"}, tasksequence.InjectDrivers: nil} {
			if out := b.works(definition, settings, exits(add, code, "")); (out.Restart != nil) != restart {
				t.Errorf("%s, %d: %+v", definition, code, out)
			}
		}
	}
	_, err := b.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack"}, exits(add, 5, "Access is denied.\r\n"))
	b.fails(err, "driver pack pack", "exit code 5", "Access is denied.")
	b.items = &items{}
	b.items.add("pack", "", map[string]string{"pack.exe": "x"})
	_, err = b.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack"})
	b.fails(err, "no driver for Windows")
}
