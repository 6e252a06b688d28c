package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// booted is a device of a running appliance, with its key.
type booted struct {
	*running
	client *http.Client
	device wire.Device
	token  string
}

func (r *running) boot(device wire.Device) *booted {
	r.t.Helper()
	cert := deviceCertificate(r.t)
	return &booted{running: r, client: insecure(cert, wire.ServerName(installationOf(r.t, r))), device: device}
}

// signIn returns the status of the answer.
func (b *booted) signIn(passcode string) int {
	b.t.Helper()
	var token wire.Token
	code := b.request(b.client, "POST", "/api/v1/auth/passcode", "", wire.PasscodeSignIn{Passcode: passcode, Device: b.device, Environment: wire.LinuxPE}, &token)
	b.token = token.Token
	return code
}

func (b *booted) call(method, path string, in, out any) int {
	b.t.Helper()
	return b.request(b.client, method, "/api/v1"+path, b.token, in, out)
}

func (b *booted) start(sequence string) (d wire.Deployment) {
	b.t.Helper()
	if code := b.call("POST", "/deployments", wire.StartDeployment{Sequence: sequence}, &d); code != http.StatusCreated {
		b.t.Fatalf("start answers %d", code)
	}
	return d
}

func finishedEvent(d wire.Deployment) wire.EventBatch {
	return wire.EventBatch{Epoch: d.Epoch, Events: []wire.Event{{Number: 1, Time: time.Now(), Kind: wire.EventFinished, Status: "succeeded"}}}
}

func (r *running) passcodes() []fleet.PasscodeStatus {
	r.t.Helper()
	var out api.Passcodes
	if err := json.Unmarshal([]byte(r.must("", "passcode", "list", "--json")), &out); err != nil {
		r.t.Fatal(err)
	}
	return out.Passcodes
}

func sampleID(t *testing.T, r *running) string {
	t.Helper()
	var list api.Sequences
	if err := json.Unmarshal([]byte(r.must("", "sequence", "list", "--json")), &list); err != nil || len(list.Sequences) == 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list.Sequences[0].ID
}

func TestPasscodesByCommand(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	const shared, guest = "plinth walrus 47", "velvet anchor 93"
	if out := r.must("", "passcode", "status"); !strings.Contains(out, "No passcode is set") {
		t.Errorf("status: %s", out)
	}
	sequence := sampleID(t, r)
	r.must(guest+"\n", "passcode", "add", "guest", "--uses", "2", "--expires", "7d", "--sequence", sequence, "--network", "127.0.0.0/8")
	if out := r.must("", "passcode", "status"); !strings.Contains(out, "only named ones are accepted") || !strings.Contains(out, "Named passcodes: 1") {
		t.Errorf("status: %s", out)
	}
	r.must(shared+"\n", "passcode", "set")
	if out := r.must("", "passcode", "status"); !strings.Contains(out, "bits strong") || strings.Contains(out, "accepted until") {
		t.Errorf("status: %s", out)
	}
	made := r.must("", "passcode", "set", "--generate", "--overlap", "24h")
	if strings.Count(made, "\n") != 1 || len(strings.Fields(made)) != 4 {
		t.Errorf("set --generate prints %q", made)
	}
	if out := r.must("", "passcode", "status"); !strings.Contains(out, "The one before is accepted until") {
		t.Errorf("status: %s", out)
	}
	for _, value := range []string{shared, strings.TrimSpace(made), guest, guest} {
		if code := r.boot(testDevice).signIn(value); code != http.StatusOK {
			t.Errorf("sign-in answers %d", code)
		}
	}
	if code := r.boot(testDevice).signIn(guest); code != http.StatusUnauthorized {
		t.Errorf("the third sign-in of two answers %d", code)
	}
	r.stop()
	r = start(t, dir)
	if code := r.boot(testDevice).signIn(guest); code != http.StatusUnauthorized {
		t.Errorf("after a restart it answers %d", code)
	}
	list := r.passcodes()
	if len(list) != 2 || list[0].Name != "default" || list[1].Name != "guest" || list[1].Uses != 2 || list[1].Scope.Networks[0] != "127.0.0.0/8" {
		t.Errorf("list %+v", list)
	}
	if table := r.must("", "passcode", "list"); !strings.Contains(table, "used up") || !strings.Contains(table, "2 of 2") || !strings.Contains(table, "sequences "+sequence) {
		t.Errorf("list:\n%s", table)
	}
	log := r.must("", "audit", "list")
	for _, want := range []string{"passcode default, the one before", "passcode guest: used up", "passcode guest"} {
		if !strings.Contains(log, want) || strings.Contains(log, guest) || strings.Contains(log, shared) {
			t.Errorf("the audit log lacks %q, or tells a passcode:\n%s", want, log)
		}
	}
	r.must("", "passcode", "remove", "guest")
	for _, c := range []struct{ stdin, line, want string }{
		{"", "passcode remove guest", `There is no passcode "guest".`},
		{"password1\n", "passcode add x", "a common word"},
		{strings.TrimSpace(made) + "\n", "passcode add x", "has this value"},
		{guest + "\n", "passcode add Default", "slipway passcode set"},
		{guest + "\n", "passcode add x --expires yesterday", "2027-01-31"},
		{guest + "\n", "passcode add x --overlap 1w", "7d or 24h"},
		{guest + "\n", "passcode add x --expires 2020-01-31", "is over"},
		{guest + "\n", "passcode add x --sequence none", "no task sequence"},
		{guest + "\n", "passcode add x --device none", "no device"},
		{guest + "\n", "passcode add x --network here", "no network"},
		{guest + "\n", "passcode add x/previous", "letters"},
		{"", "passcode add x", "standard input"},
	} {
		code, _, errText := r.cli(c.stdin, strings.Fields(c.line)...)
		if code == 0 || !strings.Contains(errText, c.want) || strings.Contains(errText, guest) {
			t.Errorf("%s: exit %d, %q, want %q", c.line, code, errText, c.want)
		}
	}
	r.must("password1\n", "passcode", "add", "x", "--force")
	if table := r.must("", "passcode", "list"); !strings.Contains(table, "weak") {
		t.Errorf("list:\n%s", table)
	}
}

// What remains of a token when its deployment has ended, and what revoking it does.
func TestTheLifeOfADevicesToken(t *testing.T) {
	r := start(t, t.TempDir())
	r.must("slipway-lab\n", "passcode", "set")
	r.must("velvet anchor 93\n", "passcode", "add", "narrow", "--sequence", sampleID(t, r))
	d := r.boot(testDevice)
	if code := d.signIn("velvet anchor 93"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	if code := d.call("POST", "/auth/renew", nil, nil); code != http.StatusForbidden {
		t.Errorf("renewal before anything runs answers %d", code)
	}
	if code := d.call("POST", "/deployments", wire.StartDeployment{Sequence: "elsewhere"}, nil); code != http.StatusForbidden {
		t.Errorf("a start outside the scope answers %d", code)
	}
	deployment := d.start(sampleID(t, r))
	if code := d.call("POST", "/auth/renew", nil, nil); code != http.StatusOK {
		t.Errorf("renewal answers %d", code)
	}

	// From the same address, with the same ids, with the passcode even: without the
	// key the copied token is worth nothing.
	for _, thief := range []*booted{{running: r, client: insecure(nil, "")}, r.boot(testDevice)} {
		thief.token = d.token
		for _, c := range []struct{ method, path string }{{"GET", "/deployments/" + deployment.ID}, {"GET", "/task-sequences"},
			{"POST", "/auth/renew"}, {"POST", "/deployments/" + deployment.ID + "/resume"}} {
			if code := thief.call(c.method, c.path, nil, nil); code != http.StatusUnauthorized {
				t.Errorf("a copied token: %s %s answers %d", c.method, c.path, code)
			}
		}
	}

	// Others of the device are out of reach, as are those of other devices.
	other := r.boot(wire.Device{UUID: "1b9f3c5e-12ab-4cde-8f01-23456789abcd", Serial: "S-2"})
	if code := other.signIn("slipway-lab"); code != http.StatusOK {
		t.Fatalf("sign-in answers %d", code)
	}
	foreign := other.start(sampleID(t, r))
	for _, path := range []string{"", "/resume", "/events", "/logs"} {
		method, in := "POST", any(map[string]any{})
		if path == "" {
			method, in = "GET", nil
		}
		if code := d.call(method, "/deployments/"+foreign.ID+path, in, nil); code != http.StatusNotFound {
			t.Errorf("another device's deployment: %s answers %d", path, code)
		}
	}

	one := "/deployments/" + deployment.ID
	last := finishedEvent(deployment)
	if code := d.call("POST", one+"/events", last, nil); code != http.StatusOK {
		t.Fatalf("the last event answers %d", code)
	}
	for _, c := range []struct {
		method, path string
		in           any
		want         int
	}{
		{"POST", one + "/events", last, 200}, // its answer was lost
		{"POST", one + "/logs", wire.LogBatch{Epoch: deployment.Epoch, Lines: []wire.LogLine{{Number: 1, Text: "the rest"}}}, 200},
		{"GET", one, nil, 200},
		{"POST", one + "/resume", nil, 401},
		{"GET", "/deployments/current", nil, 401},
		{"GET", "/deployments/" + foreign.ID, nil, 401},
		{"GET", "/task-sequences", nil, 401},
		{"POST", "/deployments", wire.StartDeployment{Sequence: sampleID(t, r)}, 401},
		{"POST", "/auth/renew", nil, 401},
		{"PUT", "/device/facts", wire.Facts{}, 401},
		{"GET", "/content/a/1/b", nil, 401},
		{"GET", "/admin/devices", nil, 401},
	} {
		if code := d.call(c.method, c.path, c.in, nil); code != c.want {
			t.Errorf("after the end: %s %s answers %d, want %d", c.method, c.path, code, c.want)
		}
	}

	// Revoking is for technicians, hits devices only, and takes effect at once.
	admin := r.boot(testDevice)
	admin.token = strings.TrimSpace(r.must("", "token", "add", "viewer", "--role", "viewer"))
	if code := admin.call("GET", "/admin/device-tokens", nil, nil); code != http.StatusForbidden {
		t.Errorf("a viewer's list answers %d", code)
	}
	admin.token = strings.TrimSpace(r.must("", "token", "add", "technician", "--role", "technician"))
	var list api.DeviceTokens
	if code := admin.call("GET", "/admin/device-tokens", nil, &list); code != http.StatusOK || len(list.Tokens) != 2 {
		t.Fatalf("the list answers %d: %+v", code, list)
	}
	if k := list.Tokens[0]; k.Deployment != foreign.ID || k.Actor != "passcode" || !k.Bound || k.Ended {
		t.Errorf("token %+v", k)
	}
	if k := list.Tokens[1]; k.Actor != "passcode narrow" || k.Passcode != "narrow" || !k.Ended {
		t.Errorf("token %+v", k)
	}
	if code := other.call("GET", "/deployments/"+foreign.ID, nil, nil); code != http.StatusOK {
		t.Errorf("before it is revoked: %d", code)
	}
	if code := admin.call("DELETE", "/admin/device-tokens/"+list.Tokens[0].ID, nil, nil); code != http.StatusNoContent {
		t.Errorf("revoking answers %d", code)
	}
	if code := other.call("GET", "/deployments/"+foreign.ID, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("after it was revoked: %d", code)
	}
	var scripts api.Tokens
	if err := json.Unmarshal([]byte(r.must("", "token", "list", "--json")), &scripts); err != nil {
		t.Fatal(err)
	}
	if code := admin.call("DELETE", "/admin/device-tokens/"+scripts.Tokens[0].ID, nil, nil); code != http.StatusNotFound {
		t.Errorf("a technician revokes a script's token: %d", code)
	}
}

func TestPasscodesByAPI(t *testing.T) {
	r := start(t, t.TempDir())
	admin := r.boot(testDevice)
	token := func(role string) {
		admin.token = strings.TrimSpace(r.must("", "token", "add", role, "--role", role))
	}
	put := func(name string, in api.PutPasscode, want int) wire.Problem {
		t.Helper()
		var p wire.Problem
		var out any = &p
		if want == http.StatusNoContent {
			out = nil
		}
		if code := admin.call("PUT", "/admin/passcodes/"+name, in, out); code != want {
			t.Errorf("PUT %s %+v answers %d, want %d: %+v", name, in, code, want, p)
		}
		return p
	}
	token("technician")
	put("guest", api.PutPasscode{Value: "velvet anchor 93"}, http.StatusForbidden)
	if code := admin.call("POST", "/admin/passcodes/generate", nil, nil); code != http.StatusForbidden {
		t.Errorf("a technician generates: %d", code)
	}
	token("administrator")
	var made api.GeneratedPasscode
	if code := admin.call("POST", "/admin/passcodes/generate", nil, &made); code != http.StatusOK || made.Bits < 50 {
		t.Errorf("generate answers %d, %+v", code, made)
	}
	put("default", api.PutPasscode{Value: made.Value}, http.StatusNoContent)
	put("guest", api.PutPasscode{Value: "velvet anchor 93", Days: 7, MaxUses: 1}, http.StatusNoContent)
	put("guest", api.PutPasscode{Value: "copper lattice 58", OverlapSeconds: 3600}, http.StatusNoContent)
	for field, in := range map[string]api.PutPasscode{
		"days":           {Value: "marble trellis 61", Days: -1},
		"expiresAt":      {Value: "marble trellis 61", ExpiresAt: time.Now().Add(-time.Hour)},
		"maxUses":        {Value: "marble trellis 61", MaxUses: -1},
		"overlapSeconds": {Value: "marble trellis 61", OverlapSeconds: -1},
		"overlap":        {Value: "marble trellis 61", OverlapSeconds: 31 * 24 * 3600},
		"scope":          {Value: "marble trellis 61", Scope: fleet.Scope{Networks: []string{"x"}}},
		"passcode":       {Value: "1234"},
	} {
		if p := put("other", in, http.StatusUnprocessableEntity); len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", field, p)
		}
	}
	put("default", api.PutPasscode{Value: "marble trellis 61", MaxUses: 1}, http.StatusUnprocessableEntity)
	put("other", api.PutPasscode{Value: "marble trellis 61", Days: 1, ExpiresAt: time.Now().Add(time.Hour)}, http.StatusUnprocessableEntity)
	token("viewer")
	var list api.Passcodes
	if code := admin.call("GET", "/admin/passcodes", nil, &list); code != http.StatusOK || len(list.Passcodes) != 2 || list.Passcodes[1].Previous.IsZero() {
		t.Errorf("list answers %d, %+v", code, list)
	}
	if code := admin.call("DELETE", "/admin/passcodes/guest", nil, nil); code != http.StatusForbidden {
		t.Errorf("a viewer removes: %d", code)
	}
}

func TestGeneratedPasscodesInBothForms(t *testing.T) {
	code, text, errText := command("passcode", "generate")
	if code != 0 || errText != "" || len(strings.Fields(text)) == 0 || strings.Count(text, "\n") != 1 {
		t.Errorf("exit %d, %q, %q", code, text, errText)
	}
	var out map[string]string
	code, document, errText := command("passcode", "generate", "--json")
	if err := json.Unmarshal([]byte(document), &out); code != 0 || errText != "" || err != nil || len(out) != 1 || len(out["passcode"]) < 10 || out["passcode"] == strings.TrimSpace(text) {
		t.Errorf("exit %d, %q, %q, %v", code, document, errText, err)
	}
}
