package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/fleet"
)

func (a *app) passcodeCommand() *cobra.Command {
	var force bool
	set := &cobra.Command{Use: "set", Short: "Set or rotate the passcode, read from standard input", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			value, err := a.readSecret("Passcode")
			if err != nil {
				return err
			}
			if err := a.call(c.Context(), "PUT", "/admin/passcode", api.SetPasscode{Passcode: value, Force: force}, nil); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, "The passcode is set. Devices that boot from now on are asked for it.")
			return err
		}}
	set.Flags().BoolVar(&force, "force", false, "accept a weak passcode")
	clear := &cobra.Command{Use: "clear", Short: "Remove the passcode: nothing is accepted until one is set", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.call(c.Context(), "DELETE", "/admin/passcode", nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.out, "The passcode is removed. Devices keep asking, and nothing is accepted until one is set.")
			return err
		}}
	status := &cobra.Command{Use: "status", Short: "Show whether a passcode is set, and how old it is", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var s api.AuthSettings
			if err := a.call(c.Context(), "GET", "/admin/auth", nil, &s); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s.Passcode)
			}
			return a.printPasscode(s.Passcode)
		}}
	return group("passcode", "The passcode that devices ask for", set, clear, a.jsonFlag(status))
}

func (a *app) printPasscode(s fleet.PasscodeStatus) error {
	if !s.Set {
		_, err := fmt.Fprintln(a.out, "No passcode is set: devices ask for one and accept nothing. Set it with: slipway passcode set")
		return err
	}
	fmt.Fprintf(a.out, "Set %s ago (%s) by %s, about %.0f bits strong.\n", s.Age, s.SetAt.UTC().Format("2006-01-02 15:04 MST"), printable(s.SetBy), s.Bits)
	if s.Old {
		fmt.Fprintln(a.out, "It is older than the reminder age: change it with: slipway passcode set")
	}
	return nil
}
