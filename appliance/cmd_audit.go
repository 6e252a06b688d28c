package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/socket"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "The audit log", a.auditListCommand(), a.auditExportCommand())
}

// auditFlags give a command the flags that select entries, and return what makes
// the query of them.
func auditFlags(c *cobra.Command) func() (url.Values, error) {
	fields := map[string]*string{}
	for name, help := range map[string]string{
		"text": "contained in any field", "actor": "who", "action": "what, e.g. passcode.refused, or a prefix: passcode.",
		"device": "which device", "address": "from which address, or network: 192.0.2.0/24", "outcome": "ok, refused or error",
	} {
		fields[name] = c.Flags().String(name, "", help)
	}
	since := c.Flags().String("since", "", "not before this time: 2026-11-21, 2026-11-21T08:30:00Z, or that long ago: 36h, 7d")
	until := c.Flags().String("until", "", "before this time, written as for --since")
	return func() (url.Values, error) {
		v := url.Values{}
		for name, value := range fields {
			if *value != "" {
				v.Set(name, *value)
			}
		}
		for name, text := range map[string]string{"since": *since, "until": *until} {
			if text == "" {
				continue
			}
			t, err := pointInTime(text, time.Now())
			if err != nil {
				return nil, usageError{fmt.Errorf("--%s: %w", name, err)}
			}
			v.Set(name, t.Format(time.RFC3339))
		}
		return v, nil
	}
}

// pointInTime reads a time, a day or a time of day in this machine's zone, or how
// long ago.
func pointInTime(text string, now time.Time) (time.Time, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write 2026-11-21, 2026-11-21T08:30:00Z, or how long ago: 36h, 7d", text)
}

func (a *app) auditListCommand() *cobra.Command {
	var limit int
	var before, after int64
	c := a.jsonFlag(&cobra.Command{Use: "list", Short: "Show the audit log, newest first", Args: usage(cobra.NoArgs)})
	query := auditFlags(c)
	c.Flags().IntVar(&limit, "limit", 100, "how many entries")
	c.Flags().Int64Var(&before, "before", 0, "only entries with a smaller number: the next page")
	c.Flags().Int64Var(&after, "after", 0, "only entries with a larger number, those next to it: the page before")
	c.MarkFlagsMutuallyExclusive("before", "after")
	c.RunE = func(c *cobra.Command, _ []string) error {
		v, err := query()
		if err != nil {
			return err
		}
		v.Set("limit", strconv.Itoa(limit))
		for name, n := range map[string]int64{"before": before, "after": after} {
			if c.Flags().Changed(name) {
				v.Set(name, strconv.FormatInt(n, 10))
			}
		}
		var out api.AuditPage
		if err := a.call(c.Context(), "GET", "/admin/audit?"+v.Encode(), nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		rows := [][]string{{"NUMBER", "TIME", "ACTOR", "ACTION", "OBJECT", "DEVICE", "FROM", "OUTCOME", "REASON"}}
		for _, e := range out.Entries {
			if e.Count > 1 {
				e.Reason = fmt.Sprintf("%s (%d times)", e.Reason, e.Count)
			}
			rows = append(rows, []string{strconv.FormatInt(e.Number, 10), stamp(e.Time), e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason})
		}
		return a.table(rows)
	}
	return c
}

func (a *app) auditExportCommand() *cobra.Command {
	var format, file string
	c := &cobra.Command{Use: "export", Short: "Print the whole audit log, oldest first, or what the flags select", Args: usage(cobra.NoArgs)}
	query := auditFlags(c)
	c.Flags().StringVar(&format, "format", audit.FormatJSONLines, "jsonl or csv")
	c.Flags().StringVar(&file, "output", "", "write to this file instead, which must not exist yet")
	c.RunE = func(c *cobra.Command, _ []string) error {
		v, err := query()
		if err != nil {
			return err
		}
		if format != audit.FormatJSONLines && format != audit.FormatCSV {
			return usageError{fmt.Errorf("--format: %w", audit.ErrFormat)}
		}
		v.Set("format", format)
		cfg, err := a.load()
		if err != nil {
			return err
		}
		path, err := cfg.SocketPath()
		if err != nil {
			return err
		}
		stream := func(w io.Writer) error {
			return socket.NewClient(path).Stream(c.Context(), "GET", "/api/v1/admin/audit/export?"+v.Encode(), w)
		}
		if file == "" {
			return stream(a.out)
		}
		return toNewFile(file, stream)
	}
	return c
}

// toNewFile lets write fill a file that only its owner may read. When it fails the
// file goes again.
func toNewFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}
