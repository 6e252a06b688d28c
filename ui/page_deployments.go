package ui

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func deploymentColumns() []sortColumn {
	return []sortColumn{
		{key: "device", label: "Device"}, {label: "Status"}, {key: "sequence", label: "Task sequence"},
		{label: "Step"}, {key: "started", label: "Started", descFirst: true}, {label: "Took", num: true}, {label: "By"},
	}
}

func (c *Console) showDeployments(v *visit) error {
	p, err := c.page(v, "Deployments", "deployments", "deployments")
	if err != nil {
		return err
	}
	all, err := c.backend.Deployments.List(v.ctx())
	if err != nil {
		return err
	}
	cols := deploymentColumns()
	t := readTable(v, cols, "-started")
	matching, counts := filterDeployments(all, t)
	sortDeployments(matching, t)
	from, to, pager := t.cut(len(matching))
	out := view.DeploymentsView{Status: t.status, Q: t.text, Any: len(all) > 0, Columns: t.columns(cols), Pager: pager,
		Facets: deploymentFacets(t, counts)}
	for _, d := range matching[from:to] {
		out.Rows = append(out.Rows, c.deploymentRow(v.ctx(), d, p.Now))
	}
	return c.draw(v, http.StatusOK, view.Deployments(p, out))
}

// statusGroup is the facet of a status: what still goes on is "running".
func statusGroup(s fleet.DeploymentStatus) string {
	if !s.Final() {
		return "running"
	}
	return string(s)
}

func filterDeployments(all []fleet.Deployment, t tableQuery) (out []fleet.Deployment, counts map[string]int) {
	counts = map[string]int{}
	words := strings.Fields(strings.ToLower(t.text))
	for _, d := range all {
		text := strings.ToLower(strings.Join([]string{d.DeviceName, d.DeviceID, d.SequenceName, d.Address, d.Actor, d.ID}, "\n"))
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		group := statusGroup(d.Status)
		counts[group]++
		counts[""]++
		if t.status == "" || t.status == group {
			out = append(out, d)
		}
	}
	return out, counts
}

func deploymentFacets(t tableQuery, counts map[string]int) []view.Facet {
	out := []view.Facet{t.facet("", "All", counts[""])}
	for _, s := range [][2]string{{"running", "Running"}, {"failed", "Failed"}, {"succeeded", "Done"}, {"cancelled", "Cancelled"}} {
		if counts[s[0]] > 0 || t.status == s[0] || s[0] == "running" {
			out = append(out, t.facet(s[0], s[1], counts[s[0]]))
		}
	}
	return out
}

func sortDeployments(list []fleet.Deployment, t tableQuery) {
	slices.SortStableFunc(list, func(a, b fleet.Deployment) int {
		n := 0
		switch t.sort {
		case "device":
			n = compareText(cmp.Or(a.DeviceName, a.DeviceID), cmp.Or(b.DeviceName, b.DeviceID))
		case "sequence":
			n = compareText(a.SequenceName, b.SequenceName)
		default:
			n = a.StartedAt.Compare(b.StartedAt)
		}
		if n == 0 {
			return strings.Compare(a.ID, b.ID)
		}
		if t.desc {
			return -n
		}
		return n
	})
}
