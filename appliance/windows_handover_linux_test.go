package main

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/winetest"
	"slipway/agent/winetest/script"
)

// specializeCommand is the command line of the answer file's specialize pass, as an XML
// reader has it that is not ours.
func specializeCommand(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var answers struct {
		Settings []struct {
			Pass       string `xml:"pass,attr"`
			Components []struct {
				Paths []string `xml:"RunSynchronous>RunSynchronousCommand>Path"`
			} `xml:"component"`
		} `xml:"settings"`
	}
	if err := xml.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	for _, s := range answers.Settings {
		for _, c := range s.Components {
			if s.Pass == "specialize" && len(c.Paths) == 1 {
				return c.Paths[0]
			}
		}
	}
	t.Fatalf("no command in the specialize pass:\n%s", text)
	return ""
}

// setup sets whether Windows Setup is at work.
func (w *windows) setup(at string) {
	w.prefix.Run(w.t, realReg, "add", `HKLM\System\Setup`, "/v", "SystemSetupInProgress", "/t", "REG_DWORD", "/d", at, "/f")
}

// What WinPE put onto the disk goes on in the Windows there: by the command of the answer
// file, after the end of Windows Setup, with the sign-in that was kept.
func TestWindowsGoesOnWhereWinPEEnded(t *testing.T) {
	t.Parallel()
	pe := bootWinPE(t)
	drive := pe.prefix.Drive(t, "w")
	pe.prefix.Drive(t, "s")
	image := pe.add("Windows 11", "operatingsystem", makeWIM(t))
	pe.sequence(strings.ReplaceAll(`{"id":"metal","name":"Windows bare metal","variables":{"ComputerName":"PC-1"},"steps":[
		{"id":"uefi","name":"A machine with UEFI","definition":"set-variable","settings":{"VariableName":"IsUEFI","VariableValue":"True"}},
		{"id":"format","name":"Format","definition":"format-disk","settings":{"Layout":"windows"}},
		{"id":"apply","name":"Apply","definition":"apply-operating-system","settings":{"OperatingSystem":"WINDOWS","ImageIndex":2}},
		{"id":"agent","name":"Agent","definition":"prepare-operating-system"},
		{"id":"again","name":"Restart","definition":"reboot","settings":{"RebootRequested":"disk"}},
		{"id":"there","name":"In Windows","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"echo %ComputerName%>>C:\\there.txt"}}]}`, "WINDOWS", image))
	calls := []script.Call{
		{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: windowsScript},
		{Program: "dism", Args: []string{"/English", "/Apply-Image", `/ImageFile:W:\slipway\image\image.wim`, "/Index:2", `/ApplyDir:W:\`, `/ScratchDir:W:\slipway\image\scratch`},
			Make: map[string]string{`W:\Windows\System32\ntdll.dll`: "x"}},
		{Program: "bcdboot", Args: []string{`W:\Windows`, "/s", "S:", "/f", "UEFI"}},
		{Program: "wpeutil", Args: []string{"reboot"}}}
	fakes := pe.prefix.Fakes(t, calls...)
	pe.power()
	pe.signsIn()
	pe.sees("Choose a task sequence")
	pe.types("2") // after Hello from Slipway
	pe.ends()
	fakes.Done(t)

	// Windows starts from the disk.
	w := &windows{&winPE{running: pe.running, prefix: winetest.New(t)}}
	if out, err := exec.Command("cp", "-a", filepath.Join(drive, ourFolder), filepath.Join(w.prefix.C, ourFolder)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.prefix.Fakes(t)
	w.setup("1")
	line := specializeCommand(t, filepath.Join(drive, "Windows/Panther/unattend.xml"))
	program, rest, _ := strings.Cut(line, " ")
	if program != "cmd.exe" {
		t.Fatal(line)
	}
	batch := filepath.Join(w.prefix.C, "specialize.cmd") // the line, as Windows Setup would hand it to cmd.exe
	inner := strings.TrimSuffix(strings.TrimPrefix(rest, `/d /c "`), `"`)
	if err := os.WriteFile(batch, []byte("@echo off\r\n"+inner+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	w.prefix.StayOn(t) // or the next program starts Windows, and the service, before the restart
	out, _ := w.prefix.Command(ctx, "cmd", "/d", "/c", `C:\specialize.cmd`).CombinedOutput()
	if !w.isService() {
		t.Fatalf("there is no service:\n%s\n%s", out, w.read(agentLog))
	}
	w.prefix.Restart(t)
	w.waits("the service waits for Windows Setup", func() bool { return strings.Contains(w.read(agentLog), "Waiting for the end of Windows Setup") })
	if w.there("there.txt") {
		t.Error("it did not wait")
	}
	w.setup("0")
	w.waits("the deployment ends", func() bool { return strings.Contains(w.read(agentLog), "Succeeded") })
	if d := w.deployment(); d.Deployment.Status != "succeeded" || strings.TrimSpace(w.read("there.txt")) != "PC-1" {
		t.Errorf("the deployment: %s, %q", d.Deployment.Status, w.read("there.txt"))
	}
	w.waits("the agent is gone", func() bool { return !w.there(ourFolder) })
	w.waits("the service is gone", func() bool { return !w.isService() })
}

// A power loss after Format disk: WinPE finds the sign-in on the target's disk, and goes
// on without anybody.
func TestWinPEGoesOnAfterAPowerLoss(t *testing.T) {
	t.Parallel()
	w := bootWinPE(t)
	drive := w.prefix.Drive(t, "w")
	w.sequence(`{"id":"power","name":"Power","steps":[
		{"id":"uefi","name":"A machine with UEFI","definition":"set-variable","settings":{"VariableName":"IsUEFI","VariableValue":"True"}},
		{"id":"format","name":"Format","definition":"format-disk","settings":{"Layout":"windows"}},
		{"id":"long","name":"Long","definition":"run-command-line","settings":{"AfterInterruption":"run-again",
			"Command":"if exist W:\\\\go-on.txt exit /b 0\necho x>W:\\\\here.txt\n:wait\ngoto wait"}},
		{"id":"off","name":"End","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`)
	fakes := w.prefix.Fakes(t, script.Call{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: windowsScript},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	w.power()
	w.signsIn()
	w.sees("Choose a task sequence")
	w.types("2")
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(drive, name))
		return err == nil
	}
	for deadline := time.Now().Add(5 * time.Minute); !there("here.txt") || !there(ourFolder+"/state/deployment"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the third step, or the state on the disk, does not come: %q", w.tail())
		}
	}
	w.prefix.PowerLoss()
	<-w.ended
	if err := os.RemoveAll(filepath.Join(w.prefix.C, "slipway/state")); err != nil { // it is in memory
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(drive, "go-on.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.screen = lockedBuffer{}
	w.power()
	w.sees("Succeeded")
	w.ends()
	fakes.Done(t)
	if strings.Contains(w.screen.String(), "Passcode") {
		t.Error("somebody was asked again")
	}
	if there("ProgramData/Slipway") {
		t.Error("the sign-in is left on the disk")
	}
}
