package steps

import (
	"context"
	"fmt"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// installMultipleApplications installs what the list variable Applications names.
func installMultipleApplications(ctx context.Context, s *Step) (Outcome, error) {
	value, _ := s.Vars.Run().Get("Applications")
	var wanted []string
	for _, item := range value.Items() {
		if item = strings.TrimSpace(item); item != "" {
			wanted = append(wanted, item)
		}
	}
	if len(wanted) == 0 {
		s.Log("info", "the variable Applications names nothing to install")
		return Outcome{}, nil
	}
	found, err := s.Machine.Content.Find(ctx, wire.ContentQuery{Items: wanted, Purpose: tasksequence.PurposeApplication})
	if err != nil {
		return Outcome{}, fmt.Errorf("look up the applications: %w", err)
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	var out Outcome
	for i, version := range found {
		s.Progress(i*100/len(found), version.Name)
		code, err := y.fetchAndInstall(ctx, version)
		if err != nil {
			return Outcome{ExitCode: code}, err
		}
		if restart := restartAfter(code); restart != nil {
			out.Restart = restart
			out.Restart.Message = "The installed applications ask for a restart."
		}
	}
	return out, nil
}

// fetchAndInstall puts the files of an application on the system's disk for as long
// as its installer runs.
func (y *system) fetchAndInstall(ctx context.Context, version wire.ContentVersion) (int, error) {
	ref := tasksequence.Reference{ID: version.Item, Version: version.Version}
	m, err := y.step.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return 0, fmt.Errorf("ask about %s: %w", version.Name, err)
	}
	folder, remove, err := y.fetch(ctx, ref, version.Name)
	if err != nil {
		return 0, err
	}
	defer remove()
	return y.install(ctx, m, folder)
}
