package ui

import (
	"context"
	"errors"
	"strings"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

// patch is the changing values of one thing. Fresh tells a list that the thing
// is new to it, when it came into being after the page was drawn.
type patch struct {
	Key   string      `json:"k"`
	F     view.Fields `json:"f"`
	Born  string      `json:"n,omitempty"`
	Final bool        `json:"final,omitempty"` // a deployment that has ended
	Now   bool        `json:"now,omitempty"`   // the step running now
}

// batch is one message of the stream.
type batch struct {
	Now     string          `json:"now"` // the server's clock decides
	Patches []patch         `json:"p,omitempty"`
	Kinds   []string        `json:"c,omitempty"` // kinds of things of which something changed
	Lines   []fleet.LogLine `json:"l,omitempty"`
	Last    int64           `json:"last,omitempty"` // number of the log's last line
}

func (b batch) empty() bool { return len(b.Patches)+len(b.Kinds)+len(b.Lines) == 0 }

// topics is what one page wants to hear of.
type topics struct {
	devices, deployments, builds bool
	jobs                         bool   // work on content
	device, deployment, log      string // ids
	kinds                        map[string]bool
}

// parseTopics reads "devices,deployment:42,changed:security"; what it does not
// know it leaves out.
func parseTopics(text string) topics {
	t := topics{kinds: map[string]bool{}}
	for _, name := range strings.Split(text, ",") {
		kind, id, _ := strings.Cut(name, ":")
		switch kind {
		case "devices":
			t.devices = true
		case "deployments":
			t.deployments = true
		case "builds":
			t.builds = true
		case "jobs":
			t.jobs = true
		case "device":
			t.device = id
		case "deployment":
			t.deployment = id
		case "log":
			t.log = id
		case "changed":
			t.kinds[id] = true
		}
	}
	return t
}

// patches asks the backend for the new values of what changed.
func (c *Console) patches(ctx context.Context, t topics, keys []changeKey, now time.Time) (batch, error) {
	b := batch{Now: view.Stamp(now)}
	kinds := map[string]bool{}
	summary := false
	for _, k := range keys {
		if t.wantsKind(k.kind) && !kinds[k.kind] {
			kinds[k.kind] = true
			b.Kinds = append(b.Kinds, k.kind)
		}
		summary = summary || k.kind == ChangeDeployment
		found, err := c.patchOf(ctx, t, k, now)
		if errors.Is(err, ErrNotFound) {
			continue // gone: the page's next drawing will not show it
		}
		if err != nil {
			return b, err
		}
		b.Patches = append(b.Patches, found...)
	}
	if summary {
		p, err := c.summary(ctx)
		if err != nil {
			return b, err
		}
		b.Patches = append(b.Patches, p)
	}
	return b, nil
}

// wantsKind: a page with a list hears of every kind in it, so that parts of the
// page that are drawn by the server can be fetched anew.
func (t topics) wantsKind(kind string) bool {
	return t.kinds[kind] || kind == ChangeDeployment && t.deployments || kind == ChangeBuild && t.builds ||
		t.jobs && (kind == ChangeContentJob || kind == ChangeContent)
}

func (c *Console) patchOf(ctx context.Context, t topics, k changeKey, now time.Time) ([]patch, error) {
	switch {
	case k.kind == ChangeDevice && (t.devices || t.device == k.id):
		return c.devicePatch(ctx, k.id, now)
	case k.kind == ChangeDeployment && t.deployment == k.id:
		return c.deploymentPatch(ctx, k.id, now, true)
	case k.kind == ChangeDeployment && (t.deployments || t.devices):
		return c.listedDeployment(ctx, t, k.id, now)
	case k.kind == ChangeBuild && t.builds:
		return c.buildPatch(ctx, k.id, now)
	case k.kind == ChangeContentJob && t.jobs:
		return c.jobPatch(ctx, k.id)
	}
	return nil, nil
}

func (c *Console) devicePatch(ctx context.Context, id string, now time.Time) ([]patch, error) {
	d, err := c.backend.Devices.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	f := view.DeviceFields(d, nil, time.Time{}, now)
	delete(f, "now") // comes with its deployment
	return []patch{{Key: "device:" + id, F: f, Born: view.Stamp(d.FirstSeen)}}, nil
}

// listedDeployment is a deployment's own row, and its device's.
func (c *Console) listedDeployment(ctx context.Context, t topics, id string, now time.Time) ([]patch, error) {
	out, err := c.deploymentPatch(ctx, id, now, false)
	if err != nil || !t.devices {
		return out, err
	}
	d, err := c.backend.Deployments.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	status := view.DeploymentStatus(d, c.heard(ctx, d), now)
	return append(out, patch{Key: "device:" + d.DeviceID, F: view.Fields{"now": status}}), nil
}

func (c *Console) deploymentPatch(ctx context.Context, id string, now time.Time, steps bool) ([]patch, error) {
	d, err := c.backend.Deployments.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	row := c.deploymentRow(ctx, d, now)
	out := []patch{{Key: "deployment:" + id, F: row.F, Born: view.Stamp(d.StartedAt), Final: d.Status.Final()}}
	if !steps {
		return out, nil
	}
	rows, err := c.stepRows(ctx, d, now)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !r.Group {
			out = append(out, patch{Key: r.Key, F: r.F, Now: r.Current})
		}
	}
	return out, nil
}

func (c *Console) buildPatch(ctx context.Context, id string, now time.Time) ([]patch, error) {
	builds, err := c.backend.Images.Builds(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range builds {
		if b.ID == id {
			return []patch{{Key: "build:" + id, F: view.BuildFields(b, now), Born: view.Stamp(b.StartedAt)}}, nil
		}
	}
	return nil, ErrNotFound
}

// jobPatch is work on content; that it has ended shows in what the page draws anew.
func (c *Console) jobPatch(ctx context.Context, id string) ([]patch, error) {
	jobs, err := c.backend.Content.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.ID == id {
			return []patch{{Key: "job:" + id, F: jobRow(j).F, Born: view.Stamp(j.StartedAt), Final: j.State != "running"}}, nil
		}
	}
	return nil, ErrNotFound
}

// summary is the counter in the top bar.
func (c *Console) summary(ctx context.Context) (patch, error) {
	all, err := c.backend.Deployments.List(ctx)
	if err != nil {
		return patch{}, err
	}
	return patch{Key: "summary", F: view.Fields{"running": {Text: itoa(countRunning(all))}}}, nil
}
