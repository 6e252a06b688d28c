package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/view"
)

// stepRows lays the pinned document out as a tree and puts the recorded results
// beside its steps. Without a document, the results alone are listed.
func (c *Console) stepRows(ctx context.Context, d fleet.Deployment, now time.Time) ([]view.StepRow, error) {
	results, err := c.backend.Deployments.Results(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	body, err := c.backend.Deployments.Document(ctx, d.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	plan, err := readPlan(body)
	if err != nil {
		return resultRows(d, results, now), nil //nolint:nilerr // an unreadable document still has results to show
	}
	byPath := map[string]fleet.StepResult{}
	for _, r := range results {
		byPath[r.Path] = r
	}
	var rows []view.StepRow
	for _, n := range plan.Nodes {
		row := view.StepRow{Key: stepKey(d.ID, n.Path), Name: n.Node.Name, Depth: n.Depth, Group: n.Group}
		if !n.Group {
			r, recorded := byPath[n.Path]
			row.F = stepFields(d, r, recorded, n.Disabled, now)
			row.Current = isCurrent(d, n.Path)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func readPlan(body []byte) (*tasksequence.Plan, error) {
	var doc tasksequence.Document
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("reading the pinned document: %w", err)
	}
	return doc.Plan()
}

func resultRows(d fleet.Deployment, results []fleet.StepResult, now time.Time) []view.StepRow {
	slices.SortStableFunc(results, func(a, b fleet.StepResult) int { return a.Number - b.Number })
	var rows []view.StepRow
	for _, r := range results {
		rows = append(rows, view.StepRow{Key: stepKey(d.ID, r.Path), Name: r.Name, F: stepFields(d, r, true, false, now), Current: isCurrent(d, r.Path)})
	}
	return rows
}

func stepKey(deployment, path string) string { return "step:" + deployment + ":" + path }

func isCurrent(d fleet.Deployment, path string) bool {
	return !d.Status.Final() && d.CurrentStep == path
}

// stepFields are the changing values of one step.
func stepFields(d fleet.Deployment, r fleet.StepResult, recorded, disabled bool, now time.Time) view.Fields {
	f := view.Fields{"took": {}, "note": {}}
	if !recorded {
		f["status"] = notRun(d, disabled)
		return f
	}
	f["status"] = stepStatus(d, r)
	if !r.StartedAt.IsZero() && r.Status != "skipped" {
		end := r.EndedAt
		if end.IsZero() && d.Status.Final() {
			end = d.UpdatedAt // it was running when all ended
		}
		f["took"] = view.TookField(now, r.StartedAt, end)
	}
	f["note"] = view.Field{Text: stepNote(r)}
	return f
}

func notRun(d fleet.Deployment, disabled bool) view.Field {
	switch {
	case disabled:
		return view.Field{Status: view.Cancelled, Text: "Disabled"}
	case d.Status.Final():
		return view.Field{Status: view.Offline, Text: "Not run"}
	}
	return view.Field{Status: view.Offline, Text: "To come"}
}

func stepStatus(d fleet.Deployment, r fleet.StepResult) view.Field {
	switch r.Status {
	case "succeeded":
		return view.Field{Status: view.Done, Text: "Done"}
	case "failed":
		return view.Field{Status: view.Failed, Text: "Failed"}
	case "skipped":
		return view.Field{Status: view.Cancelled, Text: "Skipped"}
	}
	if d.Status.Final() {
		return view.Field{Status: view.Cancelled, Text: "Interrupted"}
	}
	return view.Field{Status: view.Running, Text: "Running"}
}

// stepNote says why: the message, and the exit code when it tells something.
func stepNote(r fleet.StepResult) string {
	if r.ExitCode == 0 {
		return r.Message
	}
	code := fmt.Sprintf("exit code %d", r.ExitCode)
	if r.ExitCode > 255 || r.ExitCode < 0 {
		code = fmt.Sprintf("exit code %d (0x%08X)", r.ExitCode, uint32(r.ExitCode)) //nolint:gosec // Windows codes are 32 bits
	}
	if r.Message == "" {
		return code
	}
	return r.Message + " · " + code
}
