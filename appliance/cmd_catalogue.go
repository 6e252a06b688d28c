package main

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/catalogue"
	"slipway/fleet"
)

func (a *app) catalogueCommand() *cobra.Command {
	return group("catalogue", "Lists of driver packs and operating systems that devices can have fetched", a.catalogueImport(), a.catalogueRefresh(), a.catalogueList(), a.catalogueSearch(), a.catalogueRemove())
}

func (a *app) catalogueImport() *cobra.Command {
	var names []string
	for _, v := range catalogue.Vendors() {
		names = append(names, "  "+v.Name+"  "+v.URL)
	}
	own := false
	c := a.jsonFlag(&cobra.Command{Use: "import VENDOR [FILE|URL] | import --own FILE|URL", Short: "Import a vendor's list, or a catalogue of your own",
		Long: `Reads the list that a vendor publishes, from where it does so, or from a file of this machine
or another address. It takes the place of what was imported of that vendor before. Cabinets
(.cab) are unpacked with cabextract or 7z. With --own the file is a catalogue in Slipway's own
form (docs/catalogues.md). The vendors:

` + strings.Join(names, "\n"),
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			var in api.ImportCatalogue
			if !own {
				in.Vendor, args = args[0], args[1:]
			}
			if len(args) > 1 {
				return usageError{fmt.Errorf("one file or address is named at most")}
			}
			if len(args) == 1 && (strings.HasPrefix(args[0], "http://") || strings.HasPrefix(args[0], "https://")) {
				in.URL = args[0]
			} else if len(args) == 1 {
				var err error
				if in.Path, err = filepath.Abs(args[0]); err != nil {
					return err
				}
			}
			var out catalogue.Info
			if err := a.call(c.Context(), "POST", "/admin/catalogues", in, &out); err != nil {
				return err
			}
			return a.catalogueRead(out)
		}})
	c.Flags().BoolVar(&own, "own", false, "the file is a catalogue in Slipway's own form")
	return c
}

// catalogueRead tells of a catalogue that was read.
func (a *app) catalogueRead(out catalogue.Info) error {
	if a.json {
		return a.printJSON(out)
	}
	left := ""
	if out.Left > 0 {
		left = fmt.Sprintf("; %d entries of the list made no sense and were left out", out.Left)
	}
	_, err := fmt.Fprintf(a.out, "%s: %d driver packs, %d operating systems%s\n", out.Name, out.Drivers, out.Systems, left)
	return err
}

func (a *app) catalogueRefresh() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "refresh NAME", Short: "Read a catalogue anew from where it came", Args: usage(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, args []string) error {
		var out catalogue.Info
		if err := a.call(c.Context(), "POST", "/admin/catalogues/"+escape(args[0])+"/refresh", nil, &out); err != nil {
			return err
		}
		return a.catalogueRead(out)
	}})
}

func (a *app) catalogueList() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "list", Short: "List the catalogues", Args: usage(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		var out api.Catalogues
		if err := a.call(c.Context(), "GET", "/admin/catalogues", nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		rows := [][]string{{"CATALOGUE", "DRIVER PACKS", "OPERATING SYSTEMS", "IMPORTED", "FROM"}}
		for _, i := range out.Catalogues {
			if i.Problem != "" {
				rows = append(rows, []string{i.Name, "-", "-", "-", printable(i.Problem)})
				continue
			}
			rows = append(rows, []string{i.Name, fmt.Sprint(i.Drivers), fmt.Sprint(i.Systems), i.Imported.Local().Format(time.DateTime), printable(i.From)})
		}
		return a.table(rows)
	}})
}

func (a *app) catalogueSearch() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "search TEXT", Short: "Show the entries whose name, model, Windows or edition holds every word of a text", Args: usage(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, args []string) error {
		var out api.CatalogueEntries
		if err := a.call(c.Context(), "GET", "/admin/catalogue-entries?text="+url.QueryEscape(args[0]), nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		rows := [][]string{{"KIND", "FOR", "NAME", "SIZE", "CONTENT"}}
		for _, e := range out.Entries {
			what := []string{e.OS, e.Version, e.Architecture, e.Edition, e.LanguageCode}
			rows = append(rows, []string{e.Kind, printable(strings.Join(strings.Fields(strings.Join(what, " ")), " ")), printable(e.Name), fleet.Bytes(e.Size), cmp.Or(e.Content, e.Fetching, "-")})
		}
		if err := a.table(rows); err != nil {
			return err
		}
		if n := len(out.Entries); n < out.Total {
			fmt.Fprintf(a.err, "%d of %d entries are shown; more words find the others\n", n, out.Total)
		}
		return nil
	}})
}

func (a *app) catalogueRemove() *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Forget a catalogue; what was fetched of it stays", Args: usage(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, args []string) error {
		return a.call(c.Context(), "DELETE", "/admin/catalogues/"+escape(args[0]), nil, nil)
	}}
}
