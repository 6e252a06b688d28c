package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTheAuditLogLeavesTheAppliance forwards the log of a running appliance to a
// collector that is away at first, and exports it by the command line.
func TestTheAuditLogLeavesTheAppliance(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	r := startWith(t, dir, fmt.Sprintf("audit: {syslog: 'tcp://%s'}\n", address))
	r.must("slipway-lab\n", "passcode", "set")
	viewer := strings.TrimSpace(r.must("", "token", "add", "viewer", "--role", "viewer"))
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	for want := 1; want <= 2; want++ {
		count, err := in.ReadString(' ')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			t.Fatal(err)
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil || !strings.Contains(string(message), fmt.Sprintf(` n="%d" installation="%s"`, want, installationOf(t, r))) {
			t.Errorf("message %d: %s, %v", want, message, err)
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		metrics := metricsOf(t, r, viewer)
		_, err := os.Stat(filepath.Join(dir, "data", "syslog.cursor")) // is written once the metrics tell of it
		if err == nil && strings.Contains(metrics, "slipway_audit_syslog_forwarded_total 2") && strings.Contains(metrics, "slipway_audit_syslog_connected 1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("cursor: %v; metrics: %s", err, metrics)
		}
	}

	file := filepath.Join(t.TempDir(), "audit.csv")
	r.must("", "audit", "export", "--format", "csv", "--since", "1h", "--output", file)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][3] != "passcode.set" || rows[3][3] != "audit.exported" {
		t.Errorf("rows %q, %v", rows, err)
	}
	if out := r.must("", "audit", "export", "--action", "passcode.", "--until", "2d"); out != "" {
		t.Errorf("of two days ago: %s", out)
	}
	if out := r.must("", "audit", "list", "--before", "2", "--since", "2026-01-01"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "passcode.set") {
		t.Errorf("before entry 2: %s", out)
	}
	for _, args := range [][]string{{"export", "--since", "soon"}, {"export", "--format", "xml"}, {"export", "--output", file}, {"list", "--address", "1/2"}} {
		if code, _, text := r.cli("", append([]string{"audit"}, args...)...); code == 0 || strings.Count(text, "\n") != 1 {
			t.Errorf("audit %v: %d %s", args, code, text)
		}
	}
}

// metricsOf reads /metrics.
func metricsOf(t *testing.T, r *running, token string) string {
	t.Helper()
	req, err := http.NewRequest("GET", "https://"+r.https+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := insecure(nil, "").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
