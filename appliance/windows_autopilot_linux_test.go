package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/winetest/script"
)

// Autopilot, whole: the agent in an installed Windows reads the hash, the appliance
// registers the device with a stand-in of Microsoft Graph, and Windows is resealed after
// the agent has removed itself. PowerShell and sysprep are fakes.
func TestWindowsIsRegisteredWithAutopilotAndResealed(t *testing.T) {
	t.Parallel()
	w := bootWindows(t)
	s := connectGraph(t, w.running)
	s.ImportTakes, s.ShownAfter, s.AssignedAfter = 0, 0, 0 // at once: the pauses are tested elsewhere
	w.sequence(`{"id":"pilot","name":"Autopilot","variables":{"FinishAction":"reseal","GROUPTAG":"Kiosk"},"steps":[
		{"id":"register","name":"Register","definition":"register-with-autopilot","settings":{"AssignedUser":"ada@contoso.example"}}]}`)
	config := w.config("tools/agent.json", map[string]string{"TSID": "pilot", "Passcode": "slipway-lab"})
	hash := strings.Repeat("QUJD", 1000)
	fakes := w.prefix.Fakes(t,
		script.Call{Program: "powershell", Args: []string{"-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", "*.ps1"},
			Output: "serial=5CD1234\r\nhash=" + hash[:2000] + "\r\nhash=" + hash[2000:] + "\r\n"},
		script.Call{Program: "sysprep", Args: []string{"/oobe", "/shutdown", "/quiet"}})
	sysprep := filepath.Join(w.prefix.C, "windows/system32/Sysprep/sysprep.exe")
	if err := errors.Join(os.MkdirAll(filepath.Dir(sysprep), 0o755), os.Link(filepath.Join(w.prefix.Dir, "fakes/fake.exe"), sysprep)); err != nil {
		t.Fatal(err)
	}
	code, said := w.says("start", "--config", config)
	fakes.Done(t)
	if code != 0 || !strings.Contains(said, "handed over as if it were new") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	d := w.deployment()
	text, _ := json.Marshal(d)
	log := w.must("", "deployment", "log", d.Deployment.ID)
	if d.Deployment.Status != "succeeded" || !strings.Contains(log, "a hardware hash of 4000 characters") || !strings.Contains(log, "has its profile") {
		t.Errorf("the deployment: %s\n%s", text, log)
	}
	imports := s.Imports()
	if len(imports) != 1 || imports[0].Serial != "5CD1234" || imports[0].Hash != hash || imports[0].GroupTag != "Kiosk" || imports[0].User != "ada@contoso.example" {
		t.Errorf("%d imports", len(imports))
	}
	if w.there(ourFolder + "/state/token.json") {
		t.Error("the sign-in is left on a computer that is handed over")
	}
	planted{"client secret": []byte(s.Secret)}.checkFolder(t, w.prefix.C)
}
