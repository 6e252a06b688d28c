package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

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
			for _, u := range c.Unused {
				fmt.Fprintln(a.err, "Warning:", printable(u.String()))
			}
			if err := c.CheckFiles(); err != nil {
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

// fetchCommand downloads what an image build needs, for an appliance that has no
// package source.
func (a *app) fetchCommand() *cobra.Command {
	var dir, arch string
	c := &cobra.Command{Use: "fetch --packages DIR", Short: "Download the packages of a boot image into a folder, for a build with --packages", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cache, remove, err := fetchCache()
			if err != nil {
				return err
			}
			defer remove()
			b := &bootimages.Builder{Data: cache, Recipes: images.FS()}
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

// fetchCache is where downloads are kept for the next time; without a home of the user's,
// a folder for this time only: one of a known name could be another user's.
func fetchCache() (dir string, remove func(), err error) {
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "slipway"), func() {}, nil
	}
	if dir, err = os.MkdirTemp("", "slipway-fetch-"); err != nil {
		return "", nil, fmt.Errorf("make a folder for downloads: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
