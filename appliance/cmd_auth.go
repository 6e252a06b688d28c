package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/config"
	"slipway/fleet"
)

func (a *app) authCommand() *cobra.Command {
	show := a.jsonFlag(&cobra.Command{Use: "show", Short: "Show how devices sign in", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var s api.AuthSettings
			if err := a.call(c.Context(), "GET", "/admin/auth", nil, &s); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			if s.Warning != "" {
				fmt.Fprintln(a.out, "Warning:", s.Warning)
			}
			for _, m := range []fleet.Mechanism{fleet.MechanismAnonymous, fleet.MechanismCertificate, fleet.MechanismEntra} {
				fmt.Fprintf(a.out, "%s: not in this version\n", m)
			}
			fmt.Fprint(a.out, "passcode: ")
			return a.printPasscode(s.Passcode)
		}})
	set := &cobra.Command{Use: "set KEY=VALUE...", Short: "Change sign-in settings", Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			key, _, ok := strings.Cut(args[0], "=")
			if !ok {
				return usageError{fmt.Errorf("%q is not KEY=VALUE", args[0])}
			}
			return fmt.Errorf("auth setting %q: %w (the passcode is set with: slipway passcode set)", key, config.ErrNotInThisVersion)
		}}
	return group("auth", "The sign-in mechanisms of devices", show, set)
}
