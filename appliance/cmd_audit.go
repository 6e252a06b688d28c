package main

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
)

func (a *app) auditCommand() *cobra.Command {
	var q struct{ text, actor, action, device, outcome string }
	var limit int
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "Show the audit log, newest first", Args: usage(cobra.NoArgs)})
	list.Flags().StringVar(&q.text, "text", "", "contained in any field")
	list.Flags().StringVar(&q.actor, "actor", "", "who")
	list.Flags().StringVar(&q.action, "action", "", "what, e.g. passcode.refused, or a prefix: passcode.")
	list.Flags().StringVar(&q.device, "device", "", "which device")
	list.Flags().StringVar(&q.outcome, "outcome", "", "ok, refused or error")
	list.Flags().IntVar(&limit, "limit", 100, "how many entries")
	list.RunE = func(c *cobra.Command, _ []string) error {
		v := url.Values{"limit": {strconv.Itoa(limit)}}
		for name, value := range map[string]string{"text": q.text, "actor": q.actor, "action": q.action, "device": q.device, "outcome": q.outcome} {
			if value != "" {
				v.Set(name, value)
			}
		}
		var out api.AuditPage
		if err := a.call(c.Context(), "GET", "/admin/audit?"+v.Encode(), nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		rows := [][]string{{"TIME", "ACTOR", "ACTION", "OBJECT", "DEVICE", "FROM", "OUTCOME", "REASON"}}
		for _, e := range out.Entries {
			if e.Count > 1 {
				e.Reason = fmt.Sprintf("%s (%d times)", e.Reason, e.Count)
			}
			rows = append(rows, []string{stamp(e.Time), e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason})
		}
		return a.table(rows)
	}
	return group("audit", "The audit log", list)
}
