package main

import "github.com/spf13/cobra"

func (a *app) caCommand() *cobra.Command {
	return group("ca", "The appliance's certificate authority", a.caShowCommand(), future("rotate", "Replaces the certificate authority"))
}

func (a *app) caShowCommand() *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Print the authority's certificates, for browsers that shall trust the console", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var pem []byte
			if err := a.call(c.Context(), "GET", "/admin/ca", nil, &pem); err != nil {
				return err
			}
			_, err := a.out.Write(pem)
			return err
		}}
}
