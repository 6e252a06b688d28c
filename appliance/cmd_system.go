package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/config"
	"slipway/bootimages"
	"slipway/images"
)

func (a *app) configCommand() *cobra.Command {
	check := &cobra.Command{Use: "check FILE", Short: "Check a configuration file", Args: usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(config.Source{File: args[0], Environ: a.environ})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s is valid. The data folder is %s.\n", args[0], c.Data)
			return err
		}}
	return group("config", "The configuration", check)
}

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Run the appliance", Args: usage(cobra.NoArgs)}
	for _, key := range config.Keys() {
		c.Flags().String(flagName(key), "", "overrides "+key+" ("+config.EnvironmentName(key)+")")
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		overrides := map[string]string{}
		for _, key := range config.Keys() {
			if f := c.Flags().Lookup(flagName(key)); f.Changed {
				overrides[key] = f.Value.String()
			}
		}
		cfg, err := config.Load(config.Source{File: a.configFile, Environ: a.environ, Overrides: overrides})
		if err != nil {
			return err
		}
		return serve(c.Context(), cfg, a.streams)
	}
	return c
}

func flagName(key string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

func (a *app) auditCommand() *cobra.Command {
	var q struct{ text, actor, action, device, outcome string }
	var limit int
	list := a.jsonFlag(&cobra.Command{Use: "list", Short: "Show the audit log, newest first", Args: usage(cobra.NoArgs)})
	list.Flags().StringVar(&q.text, "text", "", "contained in any field")
	list.Flags().StringVar(&q.actor, "actor", "", "who")
	list.Flags().StringVar(&q.action, "action", "", "what, e.g. passcode.refused, or a prefix: passcode.")
	list.Flags().StringVar(&q.device, "device", "", "which device")
	list.Flags().StringVar(&q.outcome, "outcome", "", "ok, refused or error")
	list.Flags().IntVar(&limit, "limit", 100, "how many entries")
	list.RunE = func(c *cobra.Command, _ []string) error {
		v := url.Values{"limit": {strconv.Itoa(limit)}}
		for name, value := range map[string]string{"text": q.text, "actor": q.actor, "action": q.action, "device": q.device, "outcome": q.outcome} {
			if value != "" {
				v.Set(name, value)
			}
		}
		var out api.AuditPage
		if err := a.call(c.Context(), "GET", "/admin/audit?"+v.Encode(), nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		rows := [][]string{{"TIME", "ACTOR", "ACTION", "OBJECT", "DEVICE", "FROM", "OUTCOME", "REASON"}}
		for _, e := range out.Entries {
			if e.Count > 1 {
				e.Reason = fmt.Sprintf("%s (%d times)", e.Reason, e.Count)
			}
			rows = append(rows, []string{stamp(e.Time), e.Actor, e.Action, e.Object, e.Device, e.Address, e.Outcome, e.Reason})
		}
		return a.table(rows)
	}
	return group("audit", "The audit log", list)
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

// fetchCommand downloads what an image build needs, for an appliance that has no
// package source.
func (a *app) fetchCommand() *cobra.Command {
	var dir, arch string
	c := &cobra.Command{Use: "fetch --packages DIR", Short: "Download the packages of a boot image into a folder, for a build with --packages", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cache, err := os.UserCacheDir()
			if err != nil {
				cache = os.TempDir()
			}
			b := &bootimages.Builder{Data: filepath.Join(cache, "slipway"), Recipes: images.FS()}
			stage := ""
			err = b.FetchPackages(c.Context(), arch, dir, func(p bootimages.Progress) {
				if p.Stage != stage {
					stage = p.Stage
					fmt.Fprintln(a.out, printable(stage))
				}
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "The packages are in %s.\n", dir)
			return err
		}}
	c.Flags().StringVar(&dir, "packages", "", "folder for the .deb files")
	c.Flags().StringVar(&arch, "arch", bootimages.X64, "architecture of the image")
	_ = c.MarkFlagRequired("packages")
	return c
}
