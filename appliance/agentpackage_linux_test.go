package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest/script"
)

// unpacked is what 7-Zip and OpenSSL make of a package, in dir.
func unpacked(t *testing.T, name, dir string) {
	t.Helper()
	const sh = `set -e
7z x -y -otmp "$1" >/dev/null
about=tmp/IntuneWinPackage/Metadata/Detection.xml
hex() { sed -n "s:.*<$1>\(.*\)</$1>.*:\1:p" $about | base64 -d | od -An -v -tx1 | tr -d " \n"; }
tail -c +49 tmp/IntuneWinPackage/Contents/IntunePackage.intunewin | openssl enc -d -aes-256-cbc -K "$(hex EncryptionKey)" -iv "$(hex InitializationVector)" -out tmp/plain.zip
7z x -y tmp/plain.zip >/dev/null
rm -r tmp`
	c := exec.CommandContext(t.Context(), "sh", "-c", sh, "sh", name)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Intune runs install.cmd of the package as SYSTEM: the sequence runs, and the computer
// has the mark that Intune looks for.
func TestIntunePackageRunsATaskSequence(t *testing.T) {
	t.Parallel()
	w := bootWindows(t)
	w.sequence(`{"id":"one","name":"One step","steps":[
		{"id":"one","name":"One","definition":"run-command-line","environments":["fullos"],"settings":{"Command":"echo here>>C:\\here.txt"}}]}`)
	out := filepath.Join(t.TempDir(), "slipway.intunewin")
	args := []string{"agent", "package", "--out", out, "--agent", filepath.Join(w.prefix.C, "tools/slipway-agent.exe"), "--server", w.https,
		"--set", "TSID=one", "--set", "Passcode=slipway-lab", "--no-certificate"}
	said := w.must("", args...)
	if said2 := w.must("", args...); said != said2 {
		t.Errorf("the same input is another package: %s, %s", said, said2)
	}
	_, id, _ := strings.Cut(said, "id        ")
	id = strings.TrimSpace(id)
	// A package for a fleet signs in with the machine's certificate.
	fleet := t.TempDir()
	w.must("", "agent", "package", "--out", filepath.Join(fleet, "a.intunewin"), "--agent", args[5], "--store-issuer", "Example CA")
	unpacked(t, filepath.Join(fleet, "a.intunewin"), fleet)
	if text, err := os.ReadFile(filepath.Join(fleet, "agent.json")); err != nil || !strings.Contains(strings.Join(strings.Fields(string(text)), ""), `"Certificate":{"Store":{"Issuer":"ExampleCA"}}`) {
		t.Errorf("%s, %v", text, err)
	}
	dir := filepath.Join(w.prefix.C, "IMECache")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	unpacked(t, out, dir)
	for _, name := range []string{"agent.json", "slipway-agent.exe"} { // 7-Zip gives all files to all
		if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	detect, err := os.ReadFile(strings.TrimSuffix(out, ".intunewin") + "-detect.ps1")
	if packed, err2 := os.ReadFile(filepath.Join(dir, "detect.ps1")); err != nil || err2 != nil || string(packed) != string(detect) || !strings.Contains(string(detect), id) {
		t.Errorf("the detection script: %v, %v, %s", err, err2, detect)
	}
	fakes := w.prefix.Fakes(t, script.Call{Program: "reg", Args: []string{"add", `HKLM\SOFTWARE\Slipway`, "/v", "Package", "/t", "REG_SZ", "/d", id, "/f", "/reg:64"}})
	text := w.prefix.Run(t, "cmd", "/d", "/c", `C:\IMECache\install.cmd`)
	fakes.Done(t)
	if !w.there("here.txt") || !strings.Contains(text, "Succeeded") || w.isService() {
		t.Errorf("it says:\n%s", text)
	}
}

// A package is made of a program for Windows only.
func TestIntunePackageRefusesOtherPrograms(t *testing.T) {
	r := start(t, t.TempDir())
	dir := t.TempDir()
	out, program := filepath.Join(dir, "slipway.intunewin"), filepath.Join(dir, "slipway-agent.exe")
	if err := os.WriteFile(program, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := r.cli("", "agent", "package", "--out", out, "--agent", program); code == 0 || !strings.Contains(errs, "not a Windows program") {
		t.Errorf("%d, %s", code, errs)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is a package")
	}
}
