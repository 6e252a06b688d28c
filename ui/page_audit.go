package ui

import (
	"net/http"
	"net/url"
	"strconv"

	"slipway/ui/internal/view"
)

func (c *Console) showAudit(v *visit) error {
	p, err := c.page(v, "Audit", "audit", "changed:audit")
	if err != nil {
		return err
	}
	q := AuditQuery{Text: v.query("q"), Actor: v.query("actor"), Action: v.query("action"), Outcome: v.query("outcome"), Limit: pageSize + 1}
	if n, err := strconv.ParseInt(v.query("before"), 10, 64); err == nil && n > 0 {
		q.Before = n
	}
	rows, err := c.backend.Audit.Recent(v.ctx(), q)
	if err != nil {
		return err
	}
	out := view.AuditView{Text: q.Text, Actor: q.Actor, Action: q.Action, Outcome: q.Outcome}
	link := url.Values{}
	for name, value := range map[string]string{"q": q.Text, "actor": q.Actor, "action": q.Action, "outcome": q.Outcome} {
		if value != "" {
			link.Set(name, value)
		}
	}
	if q.Before > 0 {
		out.Newest = pageURL("/audit", link)
	}
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		link.Set("before", strconv.FormatInt(rows[pageSize-1].Number, 10))
		out.Older = pageURL("/audit", link)
	}
	out.Rows = rows
	return c.draw(v, http.StatusOK, view.Audit(p, out))
}
