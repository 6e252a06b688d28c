package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/appliance/internal/audit"
	"slipway/fleet"
)

// auditServer serves a log of n entries as the local socket does.
func auditServer(t *testing.T, n int) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	log, err := audit.Open(dir, audit.Options{FileBytes: 4000, TotalBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	for i := range n {
		if err := log.Write(context.Background(), fleet.AuditEntry{Actor: "anna", Action: fmt.Sprint("n.", i+1), Outcome: "ok", Address: "192.0.2.7"}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := New(Options{Services: Services{Audit: log}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a.LocalHandler())
	t.Cleanup(s.Close)
	return s.URL + "/api/v1/admin/audit", dir
}

func fetch(t *testing.T, url string) (*http.Response, string, error) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestAuditExportIsAFile(t *testing.T) {
	url, _ := auditServer(t, 200)
	resp, body, err := fetch(t, url+"/export?format=csv&action=n.7")
	if err != nil || resp.StatusCode != 200 || strings.Count(body, "\r\n") != 2 || !strings.Contains(resp.Header.Get("Content-Disposition"), ".csv\"") ||
		!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("%v %+v %q", err, resp, body)
	}
	_, body, err = fetch(t, url+"/export")
	if err != nil || strings.Count(body, "\n") != 202 || !strings.Contains(body, `"action":"audit.exported","object":"csv"`) {
		t.Errorf("%d lines, %v", strings.Count(body, "\n"), err)
	}
}

// A file that cannot be read to its end must not look whole.
func TestABrokenExportIsCut(t *testing.T) {
	url, dir := auditServer(t, 200)
	bad := filepath.Join(dir, "audit-00000005.jsonl")
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(bad, 0o700); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(url + "/export")
	if err != nil {
		return // cut before the first byte
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the broken export ended well with %d bytes", len(body))
	}
}

func TestAuditPages(t *testing.T) {
	url, _ := auditServer(t, 30)
	for query, want := range map[string]string{
		"?limit=2": "30 29", "?before=29&limit=2": "28 27", "?after=3&limit=2": "5 4", "?after=0&limit=1": "1",
		"?address=192.0.2.0/24&limit=1": "30", "?address=192.0.3.0/24": "", "?since=2001-01-01T00:00:00Z&limit=1": "30", "?until=2001-01-01T00:00:00%2B01:00": "",
	} {
		_, body, err := fetch(t, url+query)
		var page AuditPage
		if err == nil {
			err = json.Unmarshal([]byte(body), &page)
		}
		var have []string
		for _, e := range page.Entries {
			have = append(have, fmt.Sprint(e.Number))
		}
		if err != nil || strings.Join(have, " ") != want {
			t.Errorf("%s: %v, want %s (%v)", query, have, want, err)
		}
	}
	for _, query := range []string{"?since=yesterday", "?until=1", "?address=1/2", "?before=1&after=1", "?after=x", "/export?format=xml", "/export?since=x"} {
		if resp, body, _ := fetch(t, url+query); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "detail") {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
}
