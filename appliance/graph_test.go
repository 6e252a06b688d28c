package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"slipway/agent/wire"
	"slipway/appliance/internal/graph/graphtest"
)

// connectGraph sets the running appliance up for a stand-in of Microsoft Graph.
func connectGraph(t *testing.T, r *running) *graphtest.Server {
	t.Helper()
	s := graphtest.Start(t)
	r.must(s.Secret+"\n", "graph", "set", "tenant="+s.Tenant, "client_id="+s.ClientID, "client_secret=@-", "authority="+s.URL, "endpoint="+s.URL)
	return s
}

// A device is registered by the appliance, for a task sequence that says so; neither the
// device nor any log learns the secret.
func TestAutopilotOverTheWire(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	if code, out, _ := r.cli("", "graph", "test"); code != 1 || !strings.Contains(out, "is missing") {
		t.Errorf("graph test before it is set up: exit %d, %s", code, out)
	}
	for _, test := range []string{"graph test", "auth test entra"} {
		code, out, said := r.cli("", append(strings.Fields(test), "--json")...)
		if code != exitFailed || !strings.Contains(out, `"ok": false`) || !strings.Contains(said, "does not work as it is set") {
			t.Errorf("%s --json before it is set up: exit %d, %s%s", test, code, out, said)
		}
	}
	s := connectGraph(t, r)
	if out := r.must("", "graph", "test"); !strings.Contains(out, "is granted") {
		t.Errorf("graph test says %s", out)
	}
	show := r.must("", "graph", "show") + r.must("", "graph", "show", "--json")
	if strings.Contains(show, s.Secret) || !strings.Contains(show, graphtest.Permission) || !strings.Contains(show, s.Tenant) {
		t.Errorf("graph show says %s", show)
	}
	r.must("slipway-lab\n", "passcode", "set")
	r.must(`{"id":"plain","name":"Without","status":"active","steps":[{"id":"run","name":"Run","definition":"run-command-line","settings":{"Command":"true"}}]}`, "sequence", "import", "-")
	r.must(`{"id":"pilot","name":"With","status":"active","steps":[{"id":"reg","name":"Register","definition":"register-with-autopilot"}]}`, "sequence", "import", "-")

	ask := func(b *booted, d wire.Deployment, in wire.AutopilotRegistration) (int, wire.AutopilotState, wire.Problem) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var answer json.RawMessage
		code := b.send("POST", "/deployments/"+d.ID+"/autopilot", body, &answer)
		var state wire.AutopilotState
		var problem wire.Problem
		_ = json.Unmarshal(answer, &state)
		_ = json.Unmarshal(answer, &problem)
		return code, state, problem
	}
	registration := wire.AutopilotRegistration{Serial: "PC-1", HardwareHash: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("hash", 900))), GroupTag: "Kiosk"}
	begin := func(serial, sequence string) (*booted, wire.Deployment) {
		t.Helper()
		b := r.boot(wire.Device{Serial: serial, Model: "T1"})
		if code := b.signIn("slipway-lab"); code != http.StatusOK {
			t.Fatalf("sign-in answers %d", code)
		}
		var d wire.Deployment
		if code := b.call("POST", "/deployments", wire.StartDeployment{Key: serial, Sequence: sequence, Environment: wire.FullOS}, &d); code != http.StatusCreated {
			t.Fatalf("start answers %d", code)
		}
		return b, d
	}
	plain, d := begin("no-step", "plain")
	if code, _, _ := ask(plain, d, registration); code != http.StatusForbidden || len(s.Imports()) != 0 {
		t.Errorf("a sequence without the step answers %d", code)
	}
	b, d := begin("PC-1", "pilot")
	if code, _, _ := ask(plain, d, registration); code != http.StatusNotFound {
		t.Errorf("another device's deployment answers %d", code)
	}
	var states []string
	for range 9 {
		code, state, problem := ask(b, d, registration)
		if code != http.StatusOK {
			t.Fatalf("%d, %+v", code, problem)
		}
		if states = append(states, state.State); state.State == wire.AutopilotAssigned {
			break
		}
		if state.Wait < 1 || state.Detail == "" {
			t.Errorf("%+v", state)
		}
	}
	if got := strings.Join(states, " "); got != "importing assigning assigning assigned" || s.Imports()[0].GroupTag != "Kiosk" {
		t.Errorf("it went: %s, %d imports", got, len(s.Imports()))
	}
	if code, _, problem := ask(b, d, wire.AutopilotRegistration{Serial: "PC-1", HardwareHash: "no"}); code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || problem.Errors[0].Field != "hardwareHash" {
		t.Errorf("a bad hash answers %d, %+v", code, problem)
	}
	s.Roles = nil
	s.Revoke()
	other, d2 := begin("PC-2", "pilot")
	registration.Serial = "PC-2"
	if code, _, problem := ask(other, d2, registration); code != http.StatusConflict || !strings.Contains(problem.Detail, "not permitted") {
		t.Errorf("without consent: %d, %+v", code, problem)
	}
	r.must("", "graph", "set", "client_secret=")
	if code, _, problem := ask(other, d2, registration); code != http.StatusConflict || !strings.Contains(problem.Detail, "slipway graph set") {
		t.Errorf("not set up: %d, %+v", code, problem)
	}
	planted{"client secret": []byte(s.Secret)}.checkFolder(t, dir)
	planted{"client secret": []byte(s.Secret)}.check(t, "the log", []byte(r.log.String()))
}
