package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/wire"
)

// A device gets the blob of its domain join from the administrator's program, for a task
// sequence that says so; no log and no file of the appliance holds it.
func TestDomainJoinOverTheWire(t *testing.T) {
	dir, program := t.TempDir(), filepath.Join(t.TempDir(), "join")
	const blob = "YSBzZWNyZXQgYmxvYg=="
	if err := os.WriteFile(program, []byte("#!/bin/sh\ngrep -q '\"computerName\":\"PC-1\"' || { echo 'not this one' >&2; exit 4; }\necho "+blob+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := startWith(t, dir, "domain_join: {command: ["+program+"]}\n")
	r.must("slipway-lab\n", "passcode", "set")
	for id, definition := range map[string]string{"plain": "reboot", "join": "offline-domain-join"} {
		r.must(`{"id":"`+id+`","name":"`+id+`","status":"active","steps":[{"id":"s","name":"S","definition":"`+definition+`"}]}`, "sequence", "import", "-")
	}
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
	ask := func(b *booted, d wire.Deployment, name string) (int, string, wire.Problem) {
		t.Helper()
		body, err := json.Marshal(wire.DomainJoinRequest{ComputerName: name})
		if err != nil {
			t.Fatal(err)
		}
		var answer json.RawMessage
		code := b.send("POST", "/deployments/"+d.ID+"/domain-join", body, &answer)
		var join wire.DomainJoin
		var problem wire.Problem
		_, _ = json.Unmarshal(answer, &join), json.Unmarshal(answer, &problem)
		return code, join.Blob, problem
	}
	plain, d := begin("no-step", "plain")
	if code, got, _ := ask(plain, d, "PC-1"); code != http.StatusForbidden || got != "" {
		t.Errorf("a sequence without the step answers %d", code)
	}
	b, d := begin("PC-1", "join")
	if code, _, _ := ask(plain, d, "PC-1"); code != http.StatusNotFound {
		t.Errorf("another device's deployment answers %d", code)
	}
	if code, _, problem := ask(b, d, "a name"); code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 {
		t.Errorf("a bad name: %d, %+v", code, problem)
	}
	if code, got, problem := ask(b, d, "PC-1"); code != http.StatusOK || got != blob {
		t.Errorf("%d, %q, %+v", code, got, problem)
	}
	if code, _, _ := ask(b, d, "PC-9"); code != http.StatusConflict {
		t.Errorf("another name answers %d", code)
	}
	other, d2 := begin("PC-2", "join")
	if code, _, problem := ask(other, d2, "PC-2"); code != http.StatusConflict || !strings.Contains(problem.Detail, "log says why") || strings.Contains(problem.Detail, "not this one") {
		t.Errorf("a program that fails: %d, %+v", code, problem)
	}
	if !strings.Contains(r.log.String(), "not this one") {
		t.Error("the log does not say why")
	}
	planted{"blob": []byte(blob)}.checkFolder(t, dir)
	planted{"blob": []byte(blob)}.check(t, "the log", []byte(r.log.String()))
	if entries := r.must("", "audit", "list"); !strings.Contains(entries, "domainjoin.provisioned") {
		t.Errorf("the audit log: %s", entries)
	}
}
