package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"slipway/ui/internal/view"
)

// auditFields are the filters of the audit log, as the address names them.
var auditFields = []string{"q", "actor", "action", "device", "address", "outcome", "from", "to"}

// minuteForm is how a browser sends a date and time; it is taken as UTC.
const minuteForm = "2006-01-02T15:04"

// readAudit takes the filter from the address; link holds the same again, and bad
// names a field that cannot be read.
func readAudit(v *visit) (q AuditQuery, link url.Values, bad map[string]string) {
	link, bad = url.Values{}, map[string]string{}
	for _, name := range auditFields {
		if value := strings.TrimSpace(v.query(name)); value != "" {
			link.Set(name, value)
		}
	}
	q = AuditQuery{Text: link.Get("q"), Actor: link.Get("actor"), Action: link.Get("action"), Device: link.Get("device"),
		Address: link.Get("address"), Outcome: link.Get("outcome")}
	for name, at := range map[string]*time.Time{"from": &q.Since, "to": &q.Until} {
		var ok bool
		if *at, ok = readMinute(link.Get(name)); !ok {
			bad[name] = "Use a date and time such as 2026-03-01 08:00."
		}
	}
	if len(bad) == 0 && !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		bad["to"] = "This is before the beginning."
	}
	return q, link, bad
}

// readMinute takes a date, or a date and time with or without seconds.
func readMinute(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	s = strings.Replace(s, " ", "T", 1)
	for _, form := range []string{minuteForm, "2006-01-02T15:04:05", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (c *Console) showAudit(v *visit) error {
	p, err := c.page(v, "Audit", "audit", "changed:audit")
	if err != nil {
		return err
	}
	q, link, bad := readAudit(v)
	out := view.AuditView{Text: q.Text, Actor: q.Actor, Action: q.Action, Device: q.Device, Address: q.Address, Outcome: q.Outcome,
		From: link.Get("from"), To: link.Get("to"), Errors: bad}
	if len(bad) > 0 {
		return c.draw(v, http.StatusUnprocessableEntity, view.Audit(p, out))
	}
	out.Export = map[string]string{}
	for _, format := range []string{FormatJSONLines, FormatCSV} {
		link.Set("format", format)
		out.Export[format] = pageURL("/audit/export", link)
	}
	link.Del("format")
	if err := c.auditPage(v, q, link, &out); err != nil {
		return err
	}
	return c.draw(v, http.StatusOK, view.Audit(p, out))
}

// auditPage fills in one page and the ways to its neighbours. A page is named by
// the entry it follows or precedes, so that it stays the same while others come.
func (c *Console) auditPage(v *visit, q AuditQuery, link url.Values, out *view.AuditView) error {
	q.Limit = pageSize + 1
	q.Before, q.After = number(v.query("before")), number(v.query("after"))
	rows, err := c.backend.Audit.Recent(v.ctx(), q)
	if err != nil {
		return err
	}
	more := len(rows) > pageSize
	switch {
	case q.After > 0 && !more:
		return elsewhere(pageURL("/audit", link)) // the newest page, whole
	case q.After > 0:
		rows = rows[1:]
	case more:
		rows = rows[:pageSize]
	}
	out.Rows = rows
	if len(rows) == 0 {
		return nil
	}
	to := func(name string, n int64) string {
		link.Set(name, strconv.FormatInt(n, 10))
		defer link.Del(name)
		return pageURL("/audit", link)
	}
	if q.Before > 0 || q.After > 0 {
		out.Newest, out.Newer = pageURL("/audit", link), to("after", rows[0].Number)
	}
	if more || q.After > 0 {
		out.Older = to("before", rows[len(rows)-1].Number)
	}
	return nil
}

// number reads the number of an entry; anything else is none.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// exportAudit sends all matching entries as they are read.
func (c *Console) exportAudit(v *visit) error {
	q, _, bad := readAudit(v)
	format := v.query("format")
	kind := map[string]string{FormatJSONLines: "application/x-ndjson", FormatCSV: "text/csv; charset=utf-8"}[format]
	switch {
	case kind == "":
		return ErrNotFound
	case len(bad) > 0:
		return elsewhere(pageURL("/audit", v.r.URL.Query()))
	}
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="slipway-audit-`+c.now().UTC().Format("20060102-150405")+"."+format+`"`)
	if v.r.Method == http.MethodHead {
		return nil
	}
	out := &counting{w: v.w}
	err := c.backend.Audit.Export(v.ctx(), v.actor(), out, q, format)
	switch {
	case err == nil || v.ctx().Err() != nil:
		return nil // done, or the browser left
	case out.n == 0:
		h.Del("Content-Disposition")
		return err // nothing was sent: an error page still can be
	}
	// Half a file must not look like a whole one: the connection breaks instead.
	c.log.ErrorContext(v.ctx(), "exporting the audit log", "reference", v.id, "error", err)
	panic(http.ErrAbortHandler)
}

// counting knows whether anything was sent yet.
type counting struct {
	w http.ResponseWriter
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
