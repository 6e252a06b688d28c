package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// applicationsDone lists, in a variable that outlives restarts, what the step has
// installed: its key, then the versions.
const applicationsDone = "_ApplicationsDone"

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
	y, err := openInstalling(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	done := installedBefore(s)
	var out Outcome
	for i, version := range found {
		ref := tasksequence.Reference{ID: version.Item, Version: version.Version}
		if slices.Contains(done, ref.String()) {
			s.Log("info", version.Name+" was installed before the restart")
			continue
		}
		s.Progress(i*100/len(found), version.Name)
		code, err := fetchAndInstall(ctx, s, y, ref, version.Name)
		if err != nil {
			return Outcome{ExitCode: code}, err
		}
		done = append(done, ref.String())
		if err := s.Vars.SetSystem(applicationsDone, tasksequence.Value{List: append([]string{s.Key}, done...)}); err != nil {
			return Outcome{}, err
		}
		if restart := restartAfter(code); restart != nil {
			out.Restart = restart
		}
		if code == tasksequence.RestartInitiated && i < len(found)-1 { // the system is going down: the others come afterwards
			out.Restart.Again = true
			return out, nil
		}
	}
	return out, s.Vars.SetSystem(applicationsDone, tasksequence.Value{})
}

// installedBefore is what this step installed before it was interrupted.
func installedBefore(s *Step) []string {
	value, _ := s.Vars.Run().Get(applicationsDone)
	if len(value.List) == 0 || value.List[0] != s.Key {
		return nil
	}
	return slices.Clone(value.List[1:])
}

// fetchAndInstall puts the files of an application on the system's disk for as long
// as its installer runs.
func fetchAndInstall(ctx context.Context, s *Step, y installing, ref tasksequence.Reference, name string) (int, error) {
	m, err := s.Machine.Content.Manifest(ctx, ref)
	if err != nil {
		return 0, fmt.Errorf("ask about %s: %w", name, err)
	}
	folder, remove, err := y.fetch(ctx, ref, name)
	if err != nil {
		return 0, err
	}
	defer remove()
	return install(ctx, s, y, m, folder)
}
