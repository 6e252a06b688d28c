package ui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// TestAuditFilters: each field narrows, a wrong time says so, and the export
// holds what the page holds.
func TestAuditFilters(t *testing.T) {
	f, c := furnished(t)
	day := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	f.audit = nil
	for i, e := range []fleet.AuditEntry{
		{Actor: "anna", Action: "passcode.set", Address: "192.0.2.1", Outcome: "ok"},
		{Actor: "device", Action: "passcode.refused", Address: "192.0.2.7", Device: "d0001", Outcome: "refused"},
		{Actor: "mia", Action: "entra.accepted", Address: "192.0.2.7", Device: "d0002", Outcome: "ok"},
	} {
		e.Number, e.Time = int64(i+1), day.Add(time.Duration(i)*time.Hour)
		f.audit = append(f.audit, e)
	}
	v := signedIn(t, c, fleet.RoleAdministrator)
	for query, want := range map[string][]string{
		"": {"passcode.set", "passcode.refused", "entra.accepted"}, "actor=anna": {"passcode.set"}, "action=passcode.": {"passcode.set", "passcode.refused"},
		"device=d0002": {"entra.accepted"}, "address=192.0.2.7": {"passcode.refused", "entra.accepted"}, "outcome=refused": {"passcode.refused"},
		"from=2026-03-01+09:00": {"passcode.refused", "entra.accepted"}, "to=2026-03-01T09:00": {"passcode.set"}, "from=2026-03-02": nil,
		"from=2026-03-01T08:30&to=2026-03-01T09:30:00": {"passcode.refused"}, "q=MIA": {"entra.accepted"},
	} {
		body := v.get("/audit?" + query).Body.String()
		export := v.get("/audit/export?format=csv&" + query).Body.String()
		for _, action := range []string{"passcode.set", "passcode.refused", "entra.accepted"} {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == action
			}
			if strings.Contains(body, "<code>"+action+"</code>") != wanted || strings.Contains(export, action) != wanted {
				t.Errorf("%q: %s wanted: %v", query, action, wanted)
			}
		}
	}
	for _, query := range []string{"from=yesterday", "to=2026-13-01", "from=2026-03-02&to=2026-03-01"} {
		if res := v.get("/audit?" + query); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), `aria-invalid="true"`) || strings.Contains(res.Body.String(), "/audit/export") {
			t.Errorf("%q: %d", query, res.Code)
		}
	}
	if body := v.get("/audit?actor=anna&from=2026-03-01").Body.String(); !strings.Contains(body, "/audit/export?actor=anna&amp;format=jsonl&amp;from=2026-03-01") {
		t.Error("the export does not carry the filter")
	}
}

func TestAuditExport(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	for format, kind := range map[string]string{"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"} {
		res := v.get("/audit/export?format=" + format)
		if res.Code != http.StatusOK || res.Header().Get("Content-Type") != kind || res.Header().Get("Cache-Control") != "no-store" ||
			!strings.HasSuffix(res.Header().Get("Content-Disposition"), "."+format+`"`) || strings.Count(res.Body.String(), "\n") != len(f.audit) {
			t.Errorf("%s: %d, %v", format, res.Code, res.Header())
		}
	}
	if res := v.get("/audit/export?format=xml"); res.Code != http.StatusNotFound {
		t.Errorf("xml: %d", res.Code)
	}
	f.readOnly = true
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("half an export looks like a whole one")
		}
	}()
	v.get("/audit/export?format=csv")
}
