package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Variables of a device over the API: a technician sets all of them at once, what is
// wrong is named by its place and changes nothing, a secret value is kept without being
// sent again, and it stands in no answer and no file.
func TestVariablesOfADeviceOverTheAPI(t *testing.T) {
	const secret = "correct-horse-battery"
	dir := t.TempDir()
	r := start(t, dir)
	r.must("slipway-lab\n", "passcode", "set")
	machine := r.boot(testDevice)
	if code := machine.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("the device signs in: %d", code)
	}
	client := insecure(nil, "")
	token := func(role string) string {
		return strings.TrimSpace(r.must("", "token", "add", "script-"+role, "--role", role))
	}
	viewer, technician := token("viewer"), token("technician")
	var list struct{ Devices []fleet.Device }
	if r.request(client, "GET", "/api/v1/admin/devices", viewer, nil, &list); len(list.Devices) != 1 {
		t.Fatalf("%d devices", len(list.Devices))
	}
	path := "/api/v1/admin/devices/" + list.Devices[0].ID
	set := func(token string, out any, variables ...api.SetVariable) int {
		return r.request(client, "PUT", path+"/variables", token, api.SetVariables{Variables: variables}, out)
	}
	text := func(s string) *tasksequence.Value { return &tasksequence.Value{Text: s} }
	password := api.SetVariable{Name: "AdminPassword", Value: text(secret), Secret: true}

	if code := set(viewer, nil, password); code != http.StatusForbidden {
		t.Errorf("a viewer sets variables: %d", code)
	}
	if code := set(technician, nil, api.SetVariable{Name: "ComputerName", Value: text("pc-1")}, password); code >= 300 {
		t.Fatalf("set: %d", code)
	}
	var problem wire.Problem
	if code := set(technician, &problem, api.SetVariable{Name: "_Make", Value: text("x")}); code != http.StatusUnprocessableEntity ||
		len(problem.Errors) != 1 || !strings.HasPrefix(problem.Errors[0].Field, "variables.0.") {
		t.Errorf("a read-only variable: %d, %+v", code, problem)
	}
	// The secret one stays without its value; the other one goes.
	if code := set(technician, nil, api.SetVariable{Name: "AdminPassword", Secret: true}); code >= 300 {
		t.Fatalf("keep: %d", code)
	}
	var answer json.RawMessage
	var device fleet.Device
	r.request(client, "GET", path, viewer, nil, &answer)
	if err := json.Unmarshal(answer, &device); err != nil {
		t.Fatal(err)
	}
	if v := device.Variables; len(v) != 1 || v[0].Name != "AdminPassword" || !v[0].Secret || len(v[0].Value) > 0 {
		t.Errorf("the variables are %s", answer)
	}
	if bytes.Contains(answer, []byte(secret)) {
		t.Error("the answer tells the secret")
	}
	var begins []wire.Variable
	for _, v := range machine.start(sampleID(t, r)).Variables {
		if v.Name == "AdminPassword" || v.Name == "ComputerName" {
			begins = append(begins, v)
		}
	}
	if len(begins) != 1 || string(begins[0].Value) != `"`+secret+`"` || !begins[0].Secret {
		t.Errorf("the device's deployment begins with %+v", begins)
	}
	if err := filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("%s holds the secret", e.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// The same by command: named ones change, the others stay; a secret value comes from
// standard input and is shown nowhere; what is wrong changes nothing.
func TestVariablesOfADeviceByCommand(t *testing.T) {
	const secret = "correct-horse-battery"
	r := start(t, t.TempDir())
	r.must("slipway-lab\n", "passcode", "set")
	machine := r.boot(testDevice)
	if code := machine.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("the device signs in: %d", code)
	}
	mac := testDevice.MAC[0]
	shows := func(out string, want ...string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(out) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if strings.Join(got, "|") != strings.Join(append([]string{"NAME VALUE"}, want...), "|") {
			t.Errorf("shown: %q, want %q", got, want)
		}
	}
	variables := func(stdin string, args ...string) string {
		t.Helper()
		return r.must(stdin, append([]string{"device", "variables", mac}, args...)...)
	}
	shows(variables(""))
	shows(variables("", "ComputerName=pc-1", "OU=ou=lab,dc=example", "Applications=editor", "Applications=browser"),
		"Applications editor,browser", "ComputerName pc-1", "OU ou=lab,dc=example")
	shows(variables(secret+"\n", "--secret", "AdminPassword", "computername=pc-2"), "AdminPassword (secret)", "Applications editor,browser", "computername pc-2", "OU ou=lab,dc=example")
	before := variables("", "--remove", "ou", "--json")
	if strings.Contains(before, secret) || !strings.Contains(before, "AdminPassword") || strings.Contains(before, `"OU"`) {
		t.Errorf("as JSON: %s", before)
	}
	for want, args := range map[string][]string{
		`"ComputerName" is not NAME=VALUE`:    {"ComputerName"},
		"OU is given twice":                   {"OU=x", "--remove", "OU"},
		"Ou and OU are one variable":          {"Ou=x", "OU=y"},
		"the device has no variable Nonsense": {"ComputerName=lost", "--remove", "Nonsense"},
		"_Make":                               {"ComputerName=lost", "_Make=x"},
		"nothing was changed":                 {"ComputerName=lost", "--secret", "Empty"},
	} {
		code, out, errText := r.cli("", append([]string{"device", "variables", mac}, args...)...)
		if code == 0 || !strings.Contains(errText, want) {
			t.Errorf("%q: %d %q %q", args, code, out, errText)
		}
	}
	if code, _, errText := r.cli("", "device", "variables", "nobody", "A=b"); code == 0 || errText == "" {
		t.Errorf("no such device: %d", code)
	}
	if after := variables("", "--json"); after != before {
		t.Errorf("what was refused changed something:\n%s\n%s", before, after)
	}
	begins := map[string]string{}
	for _, v := range machine.start(sampleID(t, r)).Variables {
		begins[v.Name] = string(v.Value)
	}
	if begins["AdminPassword"] != `"`+secret+`"` || begins["computername"] != `"pc-2"` || begins["Applications"] != `["editor","browser"]` {
		t.Errorf("the device's deployment begins with %v", begins)
	}
}
