package ui

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

func signedInColumns() []sortColumn {
	return []sortColumn{
		{key: "device", label: "Device"}, {key: "who", label: "Who"}, {label: "Signed in by"}, {label: "Deployment"},
		{key: "address", label: "From"}, {key: "since", label: "Since", descFirst: true}, {key: "expires", label: "Until"}, {label: ""},
	}
}

// deviceTokens are the tokens of devices that are good now.
func (c *Console) deviceTokens(ctx context.Context) ([]fleet.Token, error) {
	list, err := c.backend.Tokens.Devices(ctx)
	if err != nil {
		return nil, err
	}
	now := c.now()
	return slices.DeleteFunc(list, func(t fleet.Token) bool { return !t.ExpiresAt.After(now) }), nil
}

// showSignedIn lists the devices that are signed in.
func (c *Console) showSignedIn(v *visit) error {
	p, err := c.page(v, "Signed-in devices", "devices", "changed:access")
	if err != nil {
		return err
	}
	all, err := c.deviceTokens(v.ctx())
	if err != nil {
		return err
	}
	names, err := c.deviceNames(v.ctx())
	if err != nil {
		return err
	}
	cols := signedInColumns()
	t := readTable(v, cols, "-since")
	rows, counts := filterTokens(all, names, t)
	sortTokens(rows, t)
	from, to, pager := t.cut(len(rows))
	out := view.SignedInView{Q: t.text, Status: t.status, Any: len(all) > 0, Columns: t.columns(cols), Rows: rows[from:to], Pager: pager,
		Facets: []view.Facet{t.facet("", "All", counts[""])}}
	for _, m := range []fleet.Mechanism{fleet.MechanismAnonymous, fleet.MechanismCertificate, fleet.MechanismEntra, fleet.MechanismPasscode} {
		if counts[string(m)] > 0 || t.status == string(m) {
			out.Facets = append(out.Facets, t.facet(string(m), view.MechanismText(m), counts[string(m)]))
		}
	}
	return c.draw(v, http.StatusOK, view.SignedIn(p, out))
}

func filterTokens(all []fleet.Token, names deviceNames, t tableQuery) (rows []view.TokenRow, counts map[string]int) {
	counts = map[string]int{}
	for _, x := range all {
		row := view.TokenRow{T: x, Device: names.of(x.DeviceID)}
		if !tokenMatches(row, t.text) {
			continue
		}
		counts[""]++
		counts[string(x.Mechanism)]++
		if t.status == "" || t.status == string(x.Mechanism) {
			rows = append(rows, row)
		}
	}
	return rows, counts
}

// tokenMatches looks for every word in what a sign-in is known by.
func tokenMatches(r view.TokenRow, text string) bool {
	for _, word := range strings.Fields(strings.ToLower(text)) {
		if !slices.ContainsFunc([]string{r.Device, r.T.Actor, r.T.Address, r.T.Deployment, r.T.Passcode, r.T.DeviceID, r.T.ID},
			func(s string) bool { return contains(s, word) }) {
			return false
		}
	}
	return true
}

func sortTokens(rows []view.TokenRow, t tableQuery) {
	slices.SortFunc(rows, func(a, b view.TokenRow) int {
		n := 0
		switch t.sort {
		case "device":
			n = compareText(a.Device, b.Device)
		case "who":
			n = compareText(a.T.Actor, b.T.Actor)
		case "address":
			n = compareAddress(a.T.Address, b.T.Address)
		case "expires":
			n = a.T.ExpiresAt.Compare(b.T.ExpiresAt)
		default:
			n = a.T.CreatedAt.Compare(b.T.CreatedAt)
		}
		if t.desc {
			n = -n
		}
		if n == 0 {
			n = compareText(a.T.ID, b.T.ID)
		}
		return n
	})
}

// revokeDevice signs a device out.
func (c *Console) revokeDevice(v *visit) error {
	if err := c.backend.Tokens.RevokeDevice(v.ctx(), v.actor(), v.form("token")); err != nil {
		return err
	}
	to := "/devices/signed-in"
	if device := v.form("device"); device != "" {
		to = view.DeviceURL(device)
	}
	return done(v, to, "revoked")
}
