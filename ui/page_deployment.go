package ui

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func (c *Console) showDeployment(v *visit) error { return c.deployment(v, http.StatusOK, "") }

func (c *Console) deployment(v *visit, status int, problem string) error {
	d, err := c.backend.Deployments.Get(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	name := d.DeviceName
	if name == "" {
		name = d.DeviceID
	}
	p, err := c.page(v, name+": "+d.SequenceName, "deployments", "deployment:"+d.ID+",log:"+d.ID)
	if err != nil {
		return err
	}
	out := view.DeploymentView{D: d, F: c.deploymentRow(v.ctx(), d, p.Now).F, Problem: problem}
	if out.Steps, err = c.stepRows(v.ctx(), d, p.Now); err != nil {
		return err
	}
	if err := c.readLog(v, &out); err != nil {
		return err
	}
	return c.draw(v, status, view.Deployment(p, out))
}

// readLog fetches the lines from "?from=", or the newest ones.
func (c *Console) readLog(v *visit, out *view.DeploymentView) error {
	from, err := strconv.ParseInt(v.query("from"), 10, 64)
	given := err == nil && from > 0
	if !given {
		_, last, err := c.backend.Deployments.Log(v.ctx(), out.D.ID, 1, 1)
		if err != nil {
			return err
		}
		from = max(1, last-view.LogPage+1)
	}
	out.First = from
	if out.Lines, out.Last, err = c.backend.Deployments.Log(v.ctx(), out.D.ID, from, view.LogPage); err != nil {
		return err
	}
	return nil
}

// downloadLog sends the whole log in the format that is asked for, as text without
// one, read page by page.
func (c *Console) downloadLog(v *visit) error {
	d, err := c.backend.Deployments.Get(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	format := v.query("format")
	mediaType, ending, ok := fleet.LogFile(format)
	if !ok {
		format = fleet.LogText
		mediaType, ending, _ = fleet.LogFile(format)
	}
	lines, last, err := c.backend.Deployments.Log(v.ctx(), d.ID, 1, view.LogPage)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", `attachment; filename="`+fileName("deployment-"+d.ID)+ending+`"`)
	out := bufio.NewWriter(v.w)
	for len(lines) > 0 {
		for _, l := range lines {
			if _, err := out.Write(fleet.AppendLogLine(nil, format, l)); err != nil {
				return nil // the browser has left
			}
		}
		next := lines[len(lines)-1].Number + 1
		if next > last { // lines that come while we read are for the next download
			break
		}
		if lines, _, err = c.backend.Deployments.Log(v.ctx(), d.ID, next, view.LogPage); err != nil {
			note := fleet.LogLine{Level: "error", Text: fmt.Sprintf("The rest of the log could not be read (reference %s).", v.id)}
			fmt.Fprintf(out, "%s", fleet.AppendLogLine(nil, format, note))
			c.log.ErrorContext(v.ctx(), "reading a deployment's log", "reference", v.id, "error", err)
			break
		}
	}
	if err := out.Flush(); err != nil {
		c.log.DebugContext(v.ctx(), "the browser left before the log was sent", "error", err)
	}
	return nil
}

func (c *Console) cancelDeployment(v *visit) error {
	id := v.param("id")
	err := c.backend.Deployments.Cancel(v.ctx(), v.actor(), id)
	if err == nil {
		return done(v, view.DeploymentURL(id), "cancelled")
	}
	if _, text, _, ok := inForm(err); ok {
		return c.deployment(v, http.StatusConflict, text)
	}
	return err
}

// orderDeployment pauses a deployment, or lets it go on.
func (c *Console) orderDeployment(v *visit) error {
	id := v.param("id")
	do, notice := c.backend.Deployments.Pause, "paused"
	if v.form("order") == "continue" {
		do, notice = c.backend.Deployments.Continue, "continued"
	}
	err := do(v.ctx(), v.actor(), id)
	if err == nil {
		return done(v, view.DeploymentURL(id), notice)
	}
	if _, text, _, ok := inForm(err); ok {
		return c.deployment(v, http.StatusConflict, text)
	}
	return err
}

// fileName keeps what every system takes in a file name.
func fileName(s string) string {
	out := []rune(s)
	for i, r := range out {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
		if !ok {
			out[i] = '_'
		}
	}
	return string(out[:min(len(out), 100)])
}
