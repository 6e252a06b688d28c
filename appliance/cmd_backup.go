package main

import "github.com/spf13/cobra"

func (a *app) backupCommand() *cobra.Command { return future("backup", "Writes state to a file") }

func (a *app) restoreCommand() *cobra.Command { return future("restore", "Reads state from a backup") }
