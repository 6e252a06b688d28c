package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
)

func (a *app) secretCommand() *cobra.Command {
	rotate := &cobra.Command{Use: "rotate", Short: "Replace the key file: the data keys are wrapped anew, new secrets get a new data key", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.RotatedSecret
			if err := a.call(c.Context(), "POST", "/admin/secret/rotate", nil, &out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "secret.key is replaced, data keys wrapped anew: %d. Copies of the old file open nothing made from now on; make a new backup.\n", out.DataKeys)
			return err
		}}
	return group("secret", "The key that secrets at rest are sealed under", rotate)
}
