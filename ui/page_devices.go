package ui

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func deviceColumns() []sortColumn {
	return []sortColumn{
		{key: "name", label: "Device"}, {label: "Now"}, {key: "model", label: "Model"}, {label: "MAC address"},
		{key: "address", label: "IP address"}, {label: "Task sequence"}, {label: "Boots"},
		{key: "seen", label: "Last seen", descFirst: true},
	}
}

func (c *Console) showDevices(v *visit) error {
	p, err := c.page(v, "Devices", "devices", "devices")
	if err != nil {
		return err
	}
	all, err := c.backend.Devices.List(v.ctx())
	if err != nil {
		return err
	}
	deployments, err := c.backend.Deployments.List(v.ctx())
	if err != nil {
		return err
	}
	names, err := c.sequenceNames(v.ctx())
	if err != nil {
		return err
	}
	cols := deviceColumns()
	t := readTable(v, cols, "name")
	latest := latestByDevice(deployments)
	matching, counts := filterDevices(all, latest, t)
	sortDevices(matching, t)
	from, to, pager := t.cut(len(matching))
	out := view.DevicesView{Q: t.text, Status: t.status, Any: len(all) > 0, Columns: t.columns(cols), Pager: pager,
		Facets: deviceFacets(t, counts)}
	for _, d := range matching[from:to] {
		out.Rows = append(out.Rows, view.DeviceRow{D: d, F: view.DeviceFields(d, latest[d.ID], c.heardCurrent(v.ctx(), latest[d.ID]), p.Now), Sequence: names.of(d.Sequence)})
	}
	return c.draw(v, http.StatusOK, view.Devices(p, out))
}

// latestByDevice finds each device's newest deployment.
func latestByDevice(list []fleet.Deployment) map[string]*fleet.Deployment {
	out := map[string]*fleet.Deployment{}
	for i := range list {
		d := &list[i]
		if have := out[d.DeviceID]; have == nil || d.StartedAt.After(have.StartedAt) {
			out[d.DeviceID] = d
		}
	}
	return out
}

// deviceState groups devices for the facets.
func deviceState(d *fleet.Deployment) string {
	switch {
	case d == nil:
		return "new"
	case !d.Status.Final():
		return "running"
	case d.Status == fleet.DeploymentFailed:
		return "failed"
	case d.Status == fleet.DeploymentSucceeded:
		return "done"
	}
	return "cancelled"
}

func filterDevices(all []fleet.Device, latest map[string]*fleet.Deployment, t tableQuery) (out []fleet.Device, counts map[string]int) {
	counts = map[string]int{}
	for _, d := range all {
		if !deviceMatches(d, t.text) {
			continue
		}
		state := deviceState(latest[d.ID])
		counts[state]++
		counts[""]++
		if t.status == "" || t.status == state {
			out = append(out, d)
		}
	}
	return out, counts
}

func deviceFacets(t tableQuery, counts map[string]int) []view.Facet {
	out := []view.Facet{t.facet("", "All", counts[""])}
	for _, s := range [][2]string{{"running", "Running"}, {"failed", "Failed"}, {"done", "Done"}, {"cancelled", "Cancelled"}, {"new", "Never deployed"}} {
		if counts[s[0]] > 0 || t.status == s[0] {
			out = append(out, t.facet(s[0], s[1], counts[s[0]]))
		}
	}
	return out
}

// deviceMatches looks for every word of the text in what a device is known by.
func deviceMatches(d fleet.Device, text string) bool {
	for _, word := range strings.Fields(strings.ToLower(text)) {
		if !deviceHas(d, word) {
			return false
		}
	}
	return true
}

func deviceHas(d fleet.Device, word string) bool {
	for _, s := range []string{d.Name, d.Model, d.Manufacturer, d.Serial, d.UUID, d.Address, d.ID} {
		if contains(s, word) {
			return true
		}
	}
	hex := bareMAC(word)
	for _, m := range d.MACs {
		if contains(m, word) || hex != "" && strings.Contains(bareMAC(m), hex) {
			return true
		}
	}
	return false
}

// bareMAC strips the separators of every usual notation (aa:bb, aa-bb,
// aabb.ccdd); empty unless at least four hex digits are left.
func bareMAC(s string) string {
	s = strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.ToLower(s))
	if len(s) < 4 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

func sortDevices(list []fleet.Device, t tableQuery) {
	slices.SortStableFunc(list, func(a, b fleet.Device) int {
		n := 0
		switch t.sort {
		case "model":
			n = compareText(a.Manufacturer+" "+a.Model, b.Manufacturer+" "+b.Model)
		case "address":
			n = compareAddress(a.Address, b.Address)
		case "seen":
			n = a.LastSeen.Compare(b.LastSeen)
		default:
			n = compareText(view.DeviceName(a), view.DeviceName(b))
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

// sequenceNames maps an assignment to the name it shows.
type sequenceNames map[string]string

func (n sequenceNames) of(assigned string) string {
	id, version, pinned := strings.Cut(assigned, ":")
	name := n[id]
	if name == "" {
		name = id
	}
	if pinned {
		name += " v" + version
	}
	return name
}

func (c *Console) sequenceNames(ctx context.Context) (sequenceNames, error) {
	all, err := c.backend.Sequences.List(ctx)
	if err != nil {
		return nil, err
	}
	names := sequenceNames{}
	for _, s := range newestVersions(all) {
		names[s.S.ID] = s.S.Name
	}
	return names, nil
}
