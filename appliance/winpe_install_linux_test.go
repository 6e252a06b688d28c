package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest/script"
)

// windowsScript is what diskpart is told for the made-up disk of 64 GiB.
const windowsScript = `select disk 0
clean
convert gpt
create partition efi size=499 offset=1024
format quick fs=fat32 label="ESP"
create partition msr size=128 offset=512000
create partition primary size=63883 offset=643072 id=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
format quick fs=ntfs label="Windows"
create partition primary size=1024 offset=66059264 id=de94bba4-06d1-4d40-a16a-bfd50179d6ac
format quick fs=ntfs label="Recovery"
gpt attributes=0x8000000000000001
uniqueid disk id=*
select partition 1
assign letter=S
select partition 3
assign letter=W
exit`

// makeWIM makes a WIM with two images, as DISM would be given one.
func makeWIM(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "Windows/System32"), 0o755); err != nil {
		t.Fatal(err)
	}
	wim := filepath.Join(dir, "install.wim")
	for _, args := range [][]string{{"capture", tree, wim, "Home"}, {"append", tree, wim, "Pro"}} {
		if out, err := exec.Command("wimlib-imagex", args...).CombinedOutput(); err != nil {
			t.Fatalf("wimlib-imagex %v (package wimtools): %v\n%s", args, err, out)
		}
	}
	return wim
}

// add makes a content item and returns its id.
func (w *winPE) add(name, purpose, path string) string {
	w.t.Helper()
	var v struct {
		Item string `json:"item"`
		ID   string `json:"id"`
	}
	text := w.must("", "content", "add", name, "--purpose", purpose, "--json", path)
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Item+v.ID == "" {
		w.t.Fatalf("%s: %v", text, err)
	}
	if v.Item != "" {
		return v.Item
	}
	return v.ID
}

// Windows is put onto an empty disk from WinPE, as far as that goes without Windows'
// own tools: they are fakes that take exactly the calls named here.
func TestWindowsFromWinPE(t *testing.T) {
	t.Parallel()
	w := bootWinPE(t)
	drive, esp, recovery := w.prefix.Drive(t, "w"), w.prefix.Drive(t, "s"), w.prefix.Drive(t, "r")
	drivers := t.TempDir()
	if err := os.WriteFile(filepath.Join(drivers, "e1000.inf"), []byte("; a driver"), 0o600); err != nil {
		t.Fatal(err)
	}
	windows, pack := w.add("Windows 11", "operatingsystem", makeWIM(t)), w.add("Drivers", "driverpack", drivers)
	w.sequence(strings.NewReplacer("WINDOWS", windows, "PACK", pack).Replace(`{"id":"metal","name":"Windows bare metal","variables":{"ComputerName":"PC-1","TimeZone":"Europe/Berlin","SystemLocale":"de-DE"},"steps":[
		{"id":"uefi","name":"A machine with UEFI","definition":"set-variable","settings":{"VariableName":"IsUEFI","VariableValue":"True"}},
		{"id":"format","name":"Format","definition":"format-disk","settings":{"Layout":"windows"}},
		{"id":"apply","name":"Apply","definition":"apply-operating-system","settings":{"OperatingSystem":"WINDOWS","ImageIndex":2}},
		{"id":"drivers","name":"Drivers","definition":"inject-driver-pack","settings":{"DriverPack":"PACK"}},
		{"id":"again","name":"Drivers that do not fit","definition":"inject-driver-pack","continueOnError":true,"settings":{"DriverPack":"PACK"}},
		{"id":"name","name":"Configure","definition":"configure-operating-system","settings":{"ComputerName":"PC-2"}},
		{"id":"admin","name":"Administrator","definition":"enable-administrator-account","settings":{"Password":"hunter2 & more"}},
		{"id":"off","name":"End","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`))
	injected := []string{"/English", `/Image:W:\`, "/Add-Driver", `/Driver:W:\slipway\` + pack, "/Recurse"}
	fakes := w.prefix.Fakes(t,
		script.Call{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: windowsScript},
		script.Call{Program: "dism", Args: []string{"/English", "/Apply-Image", `/ImageFile:W:\slipway\image\image.wim`, "/Index:2", `/ApplyDir:W:\`, `/ScratchDir:W:\slipway\image\scratch`},
			Output: "\r[===    10.0%   ]\r\n[====100.0%====]\r\nThe operation completed successfully.\r\n", Make: map[string]string{`W:\Windows\System32\ntdll.dll`: "x", `W:\Windows\System32\Recovery\Winre.wim`: "WinRE"}},
		script.Call{Program: "bcdboot", Args: []string{`W:\Windows`, "/s", "S:", "/f", "UEFI"}, Make: map[string]string{`S:\EFI\Microsoft\Boot\bootmgfw.efi`: "x"}},
		script.Call{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: "select disk 0\nselect partition 4\nassign letter=R\nexit"},
		script.Call{Program: "reagentc", Args: []string{"/setreimage", "/path", `R:\Recovery\WindowsRE`, "/target", `W:\Windows`}},
		script.Call{Program: "dism", Args: injected},
		script.Call{Program: "dism", Args: injected, Exit: 50, Output: "Error: 50\r\n"},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	fakes.Place(t, "reagentc", filepath.Join(drive, "Windows/System32/reagentc.exe")) // it is the target's own
	w.power()
	w.signsIn()
	w.sees("Choose a task sequence")
	w.types("2") // after Hello from Slipway
	w.sees("Succeeded")
	w.ends()
	fakes.Done(t)
	d := w.deployment()
	text, _ := json.Marshal(d)
	if d.Deployment.Status != "succeeded" || !strings.Contains(string(text), "exit code 50") {
		t.Errorf("the deployment: %s", text)
	}
	answers, err := os.ReadFile(filepath.Join(drive, "Windows/Panther/unattend.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<ComputerName>PC-2</ComputerName>", "W. Europe Standard Time", "de-DE", "AdministratorPassword"} {
		if !strings.Contains(string(answers), want) {
			t.Errorf("the answer file lacks %q:\n%s", want, answers)
		}
	}
	log := w.must("", "deployment", "log", d.Deployment.ID)
	if all := log + string(text) + w.screen.String(); strings.Contains(all, "hunter2") || !strings.Contains(log, "answer file: ") {
		t.Error("the password is shown, or the answer file is not told of:\n" + log)
	}
	if _, err := os.Stat(filepath.Join(drive, "slipway")); err == nil {
		t.Error("files of the steps are left on the target")
	}
	if text, err := os.ReadFile(filepath.Join(recovery, "Recovery/WindowsRE/Winre.wim")); err != nil || string(text) != "WinRE" {
		t.Errorf("the recovery partition: %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(esp, "EFI/Microsoft/Boot/bootmgfw.efi")); err != nil {
		t.Error(err)
	}
}
