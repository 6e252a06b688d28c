package ui

import (
	"context"
	"maps"
	"strings"

	"slipway/fleet"
)

// fakeGraph keeps its settings in the fake appliance.
type fakeGraph struct{ *fake }

func (f fakeGraph) Settings(context.Context) (out []Setting, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range []string{"tenant", "client_id", "client_secret", "certificate", "authority", "endpoint"} {
		s := Setting{Name: name, Kind: KindText, Value: f.graph[name]}
		if strings.HasPrefix(name, "c") && name != "client_id" {
			if s.Kind = KindSecret; s.Value != "" {
				s.Value = "set, thumbprint 4F1C, valid until 2027-11-01"
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func (fakeGraph) Permissions() []GraphPermission {
	return []GraphPermission{{"DeviceManagementServiceConfig.ReadWrite.All", "Register hardware hashes with Windows Autopilot"}}
}

func (f fakeGraph) Change(_ context.Context, by Actor, changes map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if changes["tenant"] == "contoso" {
		return &FieldError{Field: "tenant", Detail: "Use the id."}
	}
	if f.graph == nil {
		f.graph = map[string]string{}
	}
	maps.Copy(f.graph, changes)
	f.note(by, "graph.changed", "", "ok")
	return nil
}

func (f fakeGraph) Test(_ context.Context, by Actor) (fleet.GraphTest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(by, "graph.tested", "", "ok")
	if f.graph["client_secret"]+f.graph["certificate"] == "" {
		return fleet.GraphTest{Lines: []string{"Not set up: client_secret or certificate is missing."}}, nil
	}
	return fleet.GraphTest{OK: true, Lines: []string{"Sign-in: the tenant gave the application a token.", "Microsoft Graph: Autopilot's devices can be read."}}, nil
}
