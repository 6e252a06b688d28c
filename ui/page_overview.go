package ui

import (
	"net/http"
	"slices"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

const (
	attentionMost  = 8              // failed deployments listed
	attentionSince = 24 * time.Hour // older failures no longer ask for attention
	recentMost     = 5
)

func (c *Console) showOverview(v *visit) error {
	p, err := c.page(v, "Overview", "overview", "deployments,changed:security,changed:image,changed:health")
	if err != nil {
		return err
	}
	o, err := c.overview(v, p)
	if err != nil {
		return err
	}
	return c.draw(v, http.StatusOK, view.Overview(p, o))
}

func (c *Console) overview(v *visit, p view.Page) (view.OverviewView, error) {
	var o view.OverviewView
	ctx := v.ctx()
	devices, err := c.backend.Devices.List(ctx)
	if err != nil {
		return o, err
	}
	o.Devices = len(devices)
	deployments, err := c.backend.Deployments.List(ctx)
	if err != nil {
		return o, err
	}
	newestFirst(deployments)
	checks, err := c.backend.Health.Checks(ctx)
	if err != nil {
		return o, err
	}
	held, err := c.backend.Security.Held(ctx)
	if err != nil {
		return o, err
	}
	mechanisms, err := c.backend.Security.Mechanisms(ctx)
	if err != nil {
		return o, err
	}
	images, err := c.backend.Images.List(ctx)
	if err != nil {
		return o, err
	}
	for _, k := range checks {
		o.Checks = append(o.Checks, view.CheckRow{Name: k.Name, Status: string(k.State), Text: k.Text, Next: k.Next})
	}
	for _, d := range deployments {
		row := c.deploymentRow(ctx, d, p.Now)
		switch {
		case !d.Status.Final():
			o.Running = append(o.Running, row)
		case len(o.Recent) < recentMost:
			o.Recent = append(o.Recent, row)
		}
	}
	o.Attention = attention(p, checks, held, deployments)
	o.Tasks = firstTasks(p, mechanisms, images, deployments)
	return o, nil
}

// attention lists what an administrator should look at, the worst first.
func attention(p view.Page, checks []Check, held []fleet.Held, deployments []fleet.Deployment) []view.Attention {
	var out []view.Attention
	for _, k := range checks {
		if k.State == CheckFailed {
			out = append(out, view.Attention{Status: view.Failed, Title: k.Name, Text: k.Text + " " + k.Next})
		}
	}
	waiting := 0
	for _, h := range held {
		if !h.Released {
			waiting++
		}
	}
	if waiting > 0 {
		a := view.Attention{Status: view.Input, Title: view.Count(waiting, "device is", "devices are") + " held back",
			Text: "Too many wrong passcodes came from their segment. Compare the code on the screen, then release."}
		if p.May(fleet.RoleTechnician) {
			a.Href, a.Action = "/admin/security", "Waiting list"
		}
		out = append(out, a)
	}
	failed := 0
	for _, d := range deployments {
		if d.Status != fleet.DeploymentFailed || p.Now.Sub(d.UpdatedAt) > attentionSince || failed == attentionMost {
			continue
		}
		failed++
		out = append(out, view.Attention{Status: view.Failed, Title: d.DeviceName + ": " + d.SequenceName + " failed",
			Text: d.Message, Href: view.DeploymentURL(d.ID), Action: "Open"})
	}
	for _, k := range checks {
		if k.State == CheckWarning {
			out = append(out, view.Attention{Status: view.Waiting, Title: k.Name, Text: k.Text + " " + k.Next})
		}
	}
	return out
}

// firstTasks is the way from a fresh appliance to its first deployment.
func firstTasks(p view.Page, mechanisms []fleet.Mechanism, images []fleet.BootImage, deployments []fleet.Deployment) []view.Task {
	admin := p.May(fleet.RoleAdministrator)
	served := slices.ContainsFunc(images, func(m fleet.BootImage) bool { return m.Served })
	tasks := []view.Task{
		{Done: len(mechanisms) > 0, Title: "Set the passcode", Text: "What technicians type on a machine before it shows any task sequence."},
		{Done: served, Title: "Build a boot image", Text: "What machines start from the network. It takes a few minutes and goes on by itself."},
		{Done: len(deployments) > 0, Title: "Boot a test device",
			Text: "Start a machine you can spare from the network, type the passcode and choose “Hello from Slipway”. It changes nothing on its disk."},
	}
	if admin {
		tasks[0].Href, tasks[0].Action = "/admin/security", "Set passcode"
		tasks[1].Href, tasks[1].Action = "/boot/images", "Boot images"
	}
	return tasks
}

func newestFirst(list []fleet.Deployment) {
	slices.SortFunc(list, func(a, b fleet.Deployment) int {
		if n := b.StartedAt.Compare(a.StartedAt); n != 0 {
			return n
		}
		return compareText(a.ID, b.ID)
	})
}

func countRunning(list []fleet.Deployment) int {
	n := 0
	for _, d := range list {
		if !d.Status.Final() {
			n++
		}
	}
	return n
}
