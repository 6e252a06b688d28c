package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/tasksequence"
)

func (a *app) stepCommand() *cobra.Command {
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "List step definitions, the built-in ones and your own", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.listSteps(c) }})
	imp := a.jsonFlag(&cobra.Command{Use: "import FILE", Short: "Import a step definition of your own (JSON or YAML; - for standard input)", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return a.importStep(c, args[0]) }})
	var format string
	export := &cobra.Command{Use: "export ID[:VERSION]", Short: "Write a step definition to standard output", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var body []byte
			if err := a.call(c.Context(), "GET", "/admin/steps/"+escape(args[0])+"?format="+escape(format), nil, &body); err != nil {
				return err
			}
			_, err := a.out.Write(body)
			return err
		}}
	export.Flags().StringVar(&format, "format", "json", "json or yaml")
	return group("step", "Step definitions", list, imp, export)
}

func (a *app) listSteps(c *cobra.Command) error {
	var out api.StepDefinitions
	if err := a.call(c.Context(), "GET", "/admin/steps", nil, &out); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	rows := [][]string{{"ID", "VERSION", "NAME", "RUNS IN", "MADE BY"}}
	for _, s := range out.Steps {
		by := "built in"
		if s.Executor == tasksequence.ExecutorScript {
			by = "you"
		}
		rows = append(rows, []string{s.ID, fmt.Sprint(s.Version), printable(s.Name), s.Where(), by})
	}
	return a.table(rows)
}

func (a *app) importStep(c *cobra.Command, file string) error {
	body, err := a.readDocument(file)
	if err != nil {
		return err
	}
	var out tasksequence.Definition
	if err := a.call(c.Context(), "POST", "/admin/steps", body, &out); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(out)
	}
	_, err = fmt.Fprintf(a.out, "%s:%d  %s\n", out.ID, out.Version, printable(out.Name))
	return err
}
