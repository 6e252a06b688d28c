package main

import "github.com/spf13/cobra"

func (a *app) secretCommand() *cobra.Command {
	return group("secret", "The key that secrets at rest are sealed under", future("rotate", "Replaces the key"))
}
