package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/graph"
	"slipway/fleet"
)

func (a *app) graphCommand() *cobra.Command {
	show := a.jsonFlag(&cobra.Command{Use: "show", Short: "Show how the appliance reaches Microsoft Graph, and the permissions it needs there", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var s api.GraphSettings
			if err := a.call(c.Context(), "GET", "/admin/graph", nil, &s); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			return a.printGraph(s)
		}})
	set := &cobra.Command{Use: "set KEY=VALUE...", Short: "Change the settings for Microsoft Graph, effective at once", Args: usage(cobra.MinimumNArgs(1)),
		Long: graphHelp(),
		RunE: func(c *cobra.Command, args []string) error {
			changes, err := a.readChanges(args, nil)
			if err != nil {
				return err
			}
			return a.call(c.Context(), "PATCH", "/admin/graph", api.ChangeGraph{Settings: changes}, &api.GraphSettings{})
		}}
	test := a.jsonFlag(&cobra.Command{Use: "test", Short: "Try the settings for Microsoft Graph out; nothing is changed there", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var t fleet.GraphTest
			if err := a.call(c.Context(), "POST", "/admin/graph/test", nil, &t); err != nil {
				return err
			}
			if err := a.printTest(t, t.Lines); err != nil || t.OK {
				return err
			}
			return fmt.Errorf("the connection to Microsoft Graph does not work as it is set")
		}})
	return group("graph", "The connection to Microsoft Graph, for Windows Autopilot", show, set, test)
}

// graphHelp lists the keys.
func graphHelp() string {
	var b strings.Builder
	b.WriteString("Changes settings, all of them or none; an empty value removes one. A value @FILE is read from that\nfile, and @- from standard input, which keeps secrets out of the shell's history. The keys:\n\n")
	for _, k := range graph.Keys(fleet.Graph{}) {
		fmt.Fprintf(&b, "  %-14s %s\n", k.Name, k.Help)
	}
	b.WriteString("\nThe app registration needs, with the consent of an administrator of the tenant:\n\n")
	for _, p := range graph.Permissions() {
		fmt.Fprintf(&b, "  %s (%s)\n    %s\n", p.Name, p.Type, p.Why)
	}
	return b.String()
}

func (a *app) printGraph(s api.GraphSettings) error {
	rows := [][]string{{"SETTING", "VALUE"}}
	for _, k := range s.Settings {
		value := k.Value
		if value == "" {
			value = "-"
		}
		rows = append(rows, []string{k.Name, value})
	}
	if err := a.table(rows); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "\nNeeded in the tenant, with an administrator's consent:")
	for _, p := range s.Permissions {
		fmt.Fprintf(a.out, "  %s (%s): %s\n", p.Name, p.Type, p.Why)
	}
	return nil
}
