package ui

import (
	"context"
	"log/slog"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

// silenceEvery is how often running deployments are looked at for silence: that
// nothing came is no change, so no change tells of it.
const silenceEvery = 15 * time.Second

// deploymentRow reads the progress of one deployment and makes its fields.
func (c *Console) deploymentRow(ctx context.Context, d fleet.Deployment, now time.Time) view.DeploymentRow {
	return view.DeploymentRow{D: d, F: view.DeploymentFields(d, c.progress(ctx, d), c.heard(ctx, d), now)}
}

// progress of a deployment that still runs; nil when there is none.
func (c *Console) progress(ctx context.Context, d fleet.Deployment) *fleet.Progress {
	if d.Status.Final() {
		return nil
	}
	if p, ok := c.backend.Deployments.Progress(ctx, d.ID); ok {
		return &p
	}
	return nil
}

// heard is when the device last reported anything: a recorded event, progress,
// or a mere heartbeat.
func (c *Console) heard(ctx context.Context, d fleet.Deployment) time.Time {
	last := d.UpdatedAt
	if d.Status.Final() {
		return last
	}
	if p := c.progress(ctx, d); p != nil && p.At.After(last) {
		last = p.At
	}
	if h, ok := c.backend.Deployments.(Hearing); ok {
		if at := h.LastHeard(d.ID); at.After(last) {
			last = at
		}
	}
	return last
}

// heardCurrent is heard for a device's newest deployment, which may be none.
func (c *Console) heardCurrent(ctx context.Context, current *fleet.Deployment) time.Time {
	if current == nil {
		return time.Time{}
	}
	return c.heard(ctx, *current)
}

// pulse is what was last known of a running deployment's device.
type pulse struct {
	heard  time.Time
	silent bool
}

// watchSilence tells open pages when a running device falls silent, and when it
// is heard again, until ctx ends.
func (c *Console) watchSilence(ctx context.Context) {
	tick := time.NewTicker(silenceEvery)
	defer tick.Stop()
	known := map[string]pulse{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			known = c.feelPulse(ctx, known)
		}
	}
}

// feelPulse returns the pulse of every running deployment, and marks those as
// changed whose pulse differs from before.
func (c *Console) feelPulse(ctx context.Context, before map[string]pulse) map[string]pulse {
	all, err := c.backend.Deployments.List(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "looking for silent devices", slog.Any("error", err))
		return before
	}
	now, after := c.now(), map[string]pulse{}
	for _, d := range all {
		if d.Status.Final() {
			continue
		}
		p := pulse{heard: c.heard(ctx, d)}
		p.silent = now.Sub(p.heard) > view.Silence
		after[d.ID] = p
		if old, known := before[d.ID]; known && old != p {
			c.hub.add(Change{Kind: ChangeDeployment, ID: d.ID})
		}
	}
	return after
}
