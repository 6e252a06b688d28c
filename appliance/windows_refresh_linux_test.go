package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/agent/winetest/script"
	"slipway/appliance/internal/api"
	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// What bcdedit names on a German Windows.
const (
	peDisk  = "{7f8e9d0c-1b2a-11ee-8c99-0242ac120002}"
	peEntry = "{7F8E9D0D-1B2A-11EE-8C99-0242AC120002}"
)

// bcdedit are the calls that put Windows PE into the boot configuration.
func bcdedit() []script.Call {
	call := func(output string, args ...string) script.Call {
		return script.Call{Program: "bcdedit", Args: args, Output: output}
	}
	wim := `ramdisk=[C:]\ProgramData\Slipway\winpe\boot.wim,` + peDisk
	const done = "Der Vorgang wurde erfolgreich beendet.\r\n"
	return []script.Call{
		call("Der Eintrag \""+peDisk+"\" wurde erfolgreich erstellt.\r\n", "/create", "/d", "Slipway RAM disk", "/device"),
		call(done, "/set", peDisk, "ramdisksdidevice", "partition=C:"),
		call(done, "/set", peDisk, "ramdisksdipath", `\ProgramData\Slipway\winpe\boot.sdi`),
		call("Der Eintrag \""+peEntry+"\" wurde erfolgreich erstellt.\r\n", "/create", "/d", "Slipway Windows PE", "/application", "osloader"),
		call(done, "/set", peEntry, "device", wim),
		call(done, "/set", peEntry, "osdevice", wim),
		call(done, "/set", peEntry, "path", `\windows\system32\boot\winload.exe`),
		call(done, "/set", peEntry, "systemroot", `\windows`),
		call(done, "/set", peEntry, "detecthal", "yes"),
		call(done, "/set", peEntry, "winpe", "yes"),
		call(done, "/bootsequence", peEntry),
	}
}

// manageBDE is a call that ends with an exit code: asked for the protection, 0 is yes.
func manageBDE(exit int, args ...string) script.Call {
	return script.Call{Program: "manage-bde", Args: args, Exit: exit}
}

var (
	askBitLocker    = []string{"-status", "C:", "-protectionaserrorlevel"}
	suspendIt       = []string{"-protectors", "-disable", "C:", "-RebootCount", "1"}
	resumeIt        = []string{"-protectors", "-enable", "C:"}
	restartsWindows = script.Call{Program: "shutdown", Args: []string{"/r", "/f", "/t", "0", "/d", "p:4:1"}}
)

// suspended are the calls that suspend BitLocker.
func suspended() []script.Call {
	return []script.Call{manageBDE(0, askBitLocker...), manageBDE(0, suspendIt...), manageBDE(1, askBitLocker...)}
}

// forgotten are the calls that take back what was suspended and entered.
func forgotten(entries ...string) []script.Call {
	var calls []script.Call
	for _, e := range entries {
		calls = append(calls, script.Call{Program: "bcdedit", Args: []string{"/delete", e, "/cleanup"}})
	}
	return append(calls, manageBDE(0, resumeIt...))
}

// buildWinPE builds a Windows PE image of a synthetic source.
func (w *windows) buildWinPE() fleet.BootImage {
	w.t.Helper()
	here, err := os.Getwd()
	if err != nil {
		w.t.Fatal(err)
	}
	winpeSource(w.t, bootimagetest.WindowsSource{})
	w.must("", "image", "build", "winpe", "--source", "boot.wim")
	w.t.Chdir(here)
	var list api.Images
	if err := json.Unmarshal([]byte(w.must("", "image", "list", "--json")), &list); err != nil || len(list.Images) != 1 {
		w.t.Fatalf("%+v, %v", list, err)
	}
	return list.Images[0]
}

const refresh = `{"id":"refresh","name":"Refresh","steps":[
	{"id":"save","name":"Save what is needed","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"echo saved>>C:\\saved.txt"}},
	{"id":"pe","name":"Restart into Windows PE","definition":"reboot","settings":{"RebootRequested":"image"}},
	{"id":"uefi","name":"A machine with UEFI","definition":"set-variable","settings":{"VariableName":"IsUEFI","VariableValue":"True"}},
	{"id":"format","name":"Format","definition":"format-disk","settings":{"Layout":"windows"}},
	{"id":"apply","name":"Apply","definition":"apply-operating-system","settings":{"OperatingSystem":"WINDOWS","ImageIndex":2}},
	{"id":"off","name":"End","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`

// last is the deployment that began last.
func (w *windows) last() api.DeploymentDetail {
	w.t.Helper()
	var list struct{ Deployments []fleet.Deployment }
	if err := json.Unmarshal([]byte(w.must("", "deployment", "list", "--json")), &list); err != nil || len(list.Deployments) == 0 {
		w.t.Fatalf("%+v, %v", list, err)
	}
	newest := slices.MaxFunc(list.Deployments, func(a, b fleet.Deployment) int { return a.StartedAt.Compare(b.StartedAt) })
	var d api.DeploymentDetail
	if err := json.Unmarshal([]byte(w.must("", "deployment", "show", newest.ID, "--json")), &d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// A Windows is put anew onto its own disk: from the installed Windows, over a Windows PE
// that starts from that disk, with BitLocker suspended, and nobody signs in again.
func TestWindowsIsRefreshedOverWindowsPEOnItsDisk(t *testing.T) {
	w := bootWindows(t)
	image := w.add("Windows 11", "operatingsystem", makeWIM(t))
	fakes := w.prefix.Fakes(t, slices.Concat(suspended(), bcdedit(), []script.Call{restartsWindows})...)
	pe := newWinPE(t, w.running)
	peFakes := pe.prefix.Fakes(t,
		script.Call{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: windowsScript},
		script.Call{Program: "dism", Args: []string{"/English", "/Apply-Image", `/ImageFile:W:\slipway\image\image.wim`, "/Index:2", `/ApplyDir:W:\`, `/ScratchDir:W:\slipway\image\scratch`},
			Make: map[string]string{`W:\Windows\System32\ntdll.dll`: "x"}},
		script.Call{Program: "bcdboot", Args: []string{`W:\Windows`, "/s", "S:", "/f", "UEFI"}},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	built := w.buildWinPE()
	w.sequence(strings.ReplaceAll(refresh, "WINDOWS", image))

	w.prefix.StayOn(t)
	code, said := w.says("start", "--config", w.config("tools/agent.json", map[string]string{"TSID": "refresh", "Passcode": "slipway-lab"}))
	fakes.Done(t)
	if code != 4 || !strings.Contains(said, "restarts into Windows PE from its own disk") {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	for _, f := range built.Files {
		if f.Name != "boot.wim" && f.Name != "boot.sdi" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(w.prefix.C, ourFolder, "winpe", f.Name))
		if sum := sha256.Sum256(text); err != nil || hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s on the disk: %d bytes, %v", f.Name, len(text), err)
		}
	}
	d := w.deployment()
	if d.Deployment.WaitsFor != fleet.BootImageTarget || d.Deployment.Staged != built.ID {
		t.Errorf("the record: %+v", d.Deployment)
	}
	if log := w.must("", "deployment", "log", d.Deployment.ID); !strings.Contains(log, "BitLocker of drive C: is suspended for 1 restart") || strings.Contains(log, "slipway-lab") {
		t.Errorf("the log:\n%s", log)
	}

	// The boot manager starts Windows PE, in which the installed Windows is drive D:.
	pe.prefix.Drive(t, "w")
	pe.prefix.Drive(t, "s")
	old := filepath.Join(pe.prefix.Drive(t, "d"), "ProgramData")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(w.prefix.C, ourFolder), old).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pe.put("made-up-disk.txt", "clean\r\nconvert gpt\r\ncreate partition primary size=60000 offset=1024\r\nassign letter=D\r\n")
	pe.power()
	pe.sees("Succeeded")
	pe.ends()
	peFakes.Done(t)
	if strings.Contains(pe.screen.String(), "Passcode") {
		t.Error("somebody was asked again")
	}
	if d := w.deployment(); d.Deployment.Status != "succeeded" || d.Deployment.Staged != "" {
		text, _ := json.Marshal(d)
		t.Errorf("the deployment: %s", text)
	}
	if got := strings.Fields(w.read("saved.txt")); len(got) != 1 {
		t.Errorf("the first step ran %d times", len(got))
	}
}

// Where Windows PE cannot be started, everything is as it was: without an image nothing
// is begun at all.
func TestWindowsStaysAsItIsWhenWindowsPECannotStart(t *testing.T) {
	w := bootWindows(t)
	image := w.add("Windows 11", "operatingsystem", makeWIM(t))
	w.sequence(strings.ReplaceAll(refresh, "WINDOWS", image))
	config := w.config("tools/agent.json", map[string]string{"TSID": "refresh", "Passcode": "slipway-lab"})
	fakes := w.prefix.Fakes(t)
	w.prefix.StayOn(t)
	fails := func(what string, words []string, calls ...script.Call) {
		t.Helper()
		fakes.Expect(t, calls...)
		code, said := w.says("start", "--config", config)
		fakes.Done(t)
		d := w.last().Deployment
		if code != 1 || d.Status != "failed" || w.there(ourFolder) {
			t.Errorf("%s: exit code %d, %s, left on the disk: %t\n%s", what, code, d.Status, w.there(ourFolder), said)
		}
		for _, word := range words {
			if !strings.Contains(d.Message+said, word) {
				t.Errorf("%s: it does not say %q:\n%s\n%s", what, word, d.Message, said)
			}
		}
	}
	fails("no image", []string{"Nothing was done", "o Windows PE image for x64 is served", "slipway image build winpe"})
	if w.there("saved.txt") {
		t.Error("a step ran")
	}
	w.buildWinPE()
	fails("BitLocker stays", []string{"nothing was changed", "BitLocker of drive C: cannot be suspended", "0x80310000"},
		manageBDE(0, askBitLocker...), script.Call{Program: "manage-bde", Args: suspendIt, Exit: -2144272384, Output: "ERROR: 0x80310000\r\n"}, manageBDE(0, resumeIt...))
	entered := bcdedit()
	entered[5].Exit, entered[5].Output = 1, "Zugriff verweigert\r\n"
	fails("bcdedit fails", []string{"nothing was changed", "Zugriff verweigert"}, slices.Concat(suspended(), entered[:6], forgotten(peEntry, peDisk))...)
	mute := bcdedit()
	mute[0].Output = "Der Vorgang wurde erfolgreich beendet.\r\n"
	fails("bcdedit names nothing", []string{"does not tell the id"}, slices.Concat(suspended(), mute[:1], forgotten())...)
}

// The boot manager did not start Windows PE, so that the installed Windows is there
// again: the deployment ends, and nothing of it is left.
func TestWindowsThatComesBackInsteadOfWindowsPEIsCleared(t *testing.T) {
	w := bootWindows(t)
	image := w.add("Windows 11", "operatingsystem", makeWIM(t))
	fakes := w.prefix.Fakes(t, slices.Concat(suspended(), bcdedit(), []script.Call{restartsWindows})...)
	w.buildWinPE()
	w.sequence(strings.ReplaceAll(refresh, "WINDOWS", image))
	w.prefix.StayOn(t)
	code, said := w.says("start", "--config", w.config("tools/agent.json", map[string]string{"TSID": "refresh", "Passcode": "slipway-lab"}))
	fakes.Done(t)
	if code != 4 {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	fakes.Expect(t, forgotten(peEntry, peDisk)...)
	w.prefix.Restart(t)
	w.waits("the deployment ends", func() bool { return w.deployment().Deployment.Status.Final() })
	w.waits("the agent is gone", func() bool { return !w.there(ourFolder) })
	w.waits("the service is gone", func() bool { return !w.isService() })
	fakes.Done(t)
	if d := w.deployment().Deployment; d.Status != "failed" || !strings.Contains(d.Message, "Windows PE did not start") {
		t.Errorf("the deployment: %s, %q", d.Status, d.Message)
	}
}
