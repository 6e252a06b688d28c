package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

// auditRoutes are the audit log and the settings that have no place of their own.
func (a *API) auditRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/audit", Access: Administrator, Summary: "The audit log, newest first",
			Query: append(filterNames(), "before", "after", "limit"), Out: AuditPage{}, Handle: a.auditPage},
		{Method: "GET", Path: admin + "/audit/export", Access: Administrator, Summary: "The audit log as a file, oldest first: format jsonl or csv",
			Query: append(filterNames(), "format"), Out: raw{}, Handle: a.exportAudit},
		{Method: "GET", Path: admin + "/settings", Access: Viewer, Summary: "General settings", Out: fleet.Settings{}, Handle: func(c *call) (any, error) {
			return a.Settings.Get(c.ctx())
		}},
		{Method: "PUT", Path: admin + "/settings", Access: Administrator, Summary: "Change general settings", In: fleet.Settings{}, Handle: a.setSettings},
	}
}

// filterNames are the query parameters that select entries.
func filterNames() []string {
	return []string{"text", "actor", "action", "device", "address", "outcome", "since", "until"}
}

func auditFilter(c *call) (f audit.Filter, err error) {
	f = audit.Filter{Text: c.Query("text"), Actor: c.Query("actor"), Action: c.Query("action"),
		Device: c.Query("device"), Address: c.Query("address"), Outcome: c.Query("outcome")}
	if f.Since, err = c.queryTime("since"); err != nil {
		return f, err
	}
	if f.Until, err = c.queryTime("until"); err != nil {
		return f, err
	}
	if strings.Contains(f.Address, "/") {
		if _, err := netip.ParsePrefix(f.Address); err != nil {
			return f, badRequest(fmt.Sprintf("address=%q is not a network, e.g. 192.0.2.0/24.", f.Address), err)
		}
	}
	return f, nil
}

// queryTime reads a time from the query; zero when there is none.
func (c *call) queryTime(name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badRequest(fmt.Sprintf("%s=%q is not a time, e.g. 2026-11-21T08:30:00Z.", name, text), err)
	}
	return t, nil
}

func (a *API) auditPage(c *call) (any, error) {
	before, err := c.queryInt("before", 0)
	if err != nil {
		return nil, err
	}
	after, err := c.queryInt("after", 0)
	if err != nil {
		return nil, err
	}
	limit, err := c.queryInt("limit", 100)
	if err != nil {
		return nil, err
	}
	filter, err := auditFilter(c)
	if err != nil {
		return nil, err
	}
	if c.Query("after") != "" {
		if before > 0 {
			return nil, badRequest("before and after do not go together: a page lies before one entry, or after one.", nil)
		}
		entries, err := a.Audit.Newer(filter, after, int(min(limit, 1000)))
		return AuditPage{nonNil(entries)}, err
	}
	entries, err := a.Audit.Recent(filter, before, int(min(limit, 1000)))
	return AuditPage{nonNil(entries)}, err
}

// exportAudit streams the log. What fails on the way cannot become another status
// any more: the connection is cut, so that nobody takes a part for the whole.
func (a *API) exportAudit(c *call) (any, error) {
	filter, err := auditFilter(c)
	if err != nil {
		return nil, err
	}
	format := c.DefaultQuery("format", audit.FormatJSONLines)
	types := map[string]string{audit.FormatJSONLines: "application/x-ndjson", audit.FormatCSV: "text/csv; charset=utf-8; header=present"}
	if types[format] == "" {
		return nil, badRequest(fmt.Sprintf("format=%q is unknown; use jsonl or csv.", format), nil)
	}
	// A full disk must not keep the log from being read; the log counts what it missed.
	_ = a.Audit.Write(c.ctx(), fleet.AuditEntry{Actor: c.Actor, Address: addressOf(c), Action: "audit.exported", Object: format, Outcome: audit.OutcomeOK})
	c.Header("Content-Type", types[format])
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="slipway-audit-%s.%s"`, time.Now().UTC().Format("20060102T150405Z"), format))
	if err := a.Audit.Export(c.ctx(), c.Writer, filter, format); err != nil {
		a.log.WarnContext(c.ctx(), "the export of the audit log broke off", "error", err)
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(-time.Second))
	}
	return written{}, nil
}

func (a *API) setSettings(c *call) (any, error) {
	var in fleet.Settings
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return nil, a.Settings.Set(c.ctx(), c.Actor, addressOf(c), in)
}

// by is who changes something, for the audit log.
func (a *API) by(c *call) auth.Actor { return auth.Actor{Name: c.Actor, Address: addressOf(c)} }
