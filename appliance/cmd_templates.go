package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
)

func (a *app) templatesCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "templates", Short: "List the task sequences to begin with", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Templates
			if err := a.call(c.Context(), "GET", "/admin/templates", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			rows := [][]string{{"TEMPLATE", "NAME", "CONTENT TO CHOOSE"}}
			for _, t := range out.Templates {
				var places []string
				for _, p := range t.Content {
					places = append(places, strings.TrimSpace(p.Name+" "+p.Purpose))
				}
				rows = append(rows, []string{t.ID, t.Name, strings.Join(places, ", ")})
			}
			return a.table(rows)
		}})
}

func (a *app) createCommand() *cobra.Command {
	var in api.CreateSequence
	var content []string
	create := a.jsonFlag(&cobra.Command{Use: "create --template TEMPLATE", Short: "Make a task sequence of a template, in development", Args: usage(cobra.NoArgs)})
	create.Flags().StringVar(&in.Template, "template", "", "one of those that slipway sequence templates lists")
	create.Flags().StringVar(&in.Name, "name", "", "name of the task sequence (default: the template's)")
	create.Flags().StringArrayVar(&content, "content", nil, "PLACE=ID[:VERSION] of a content item, for each place of the template")
	create.RunE = func(c *cobra.Command, _ []string) error {
		if in.Template == "" {
			return usageError{errors.New("--template is needed; slipway sequence templates lists them")}
		}
		in.Content = map[string]string{}
		for _, pair := range content {
			place, item, ok := strings.Cut(pair, "=")
			if !ok || item == "" {
				return usageError{fmt.Errorf("--content %q: PLACE=ID is needed", pair)}
			}
			in.Content[place] = item
		}
		var out api.Sequence
		if err := a.call(c.Context(), "POST", "/admin/templates", in, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		_, err := fmt.Fprintf(a.out, "%s:%d  %s (%s)\n", out.ID, out.Version, printable(out.Name), out.Status)
		return err
	}
	return create
}
