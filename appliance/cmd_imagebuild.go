package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/imaging"
)

const (
	bootKindLinux = "linux"
	bootKindWinPE = "winpe"
)

// kindFlags are the flags of `image build` that only one kind has.
var kindFlags = map[string][]string{
	bootKindLinux: {"packages", "firmware", "profile"},
	bootKindWinPE: {"source", "index", "drivers", "root-certificates", "wallpaper", "hooks"},
}

func (a *app) imageBuildCommand() *cobra.Command {
	build := a.jsonFlag(&cobra.Command{Use: "build linux|winpe", Short: "Build a boot image on the running appliance", Args: usage(cobra.ExactArgs(1)),
		Long: `Builds a boot image on the running appliance and serves it. A Linux image is built of
Debian packages; a Windows PE image of your own Windows ISO, winpe.wim, boot.wim or WinRE
image, which is only read. The image is public: keep secrets out of what you add.

Instead of a path content:ITEM or content:ITEM:VERSION names content (of --drivers several, with commas
between), and sources:NAME a file in the folder windows/sources of the data folder.`})
	var o api.BuildImage
	f := build.Flags()
	f.StringVar(&o.Packages, "packages", "", "linux: folder of .deb files to build from, instead of the machine's package source")
	f.StringVar(&o.Firmware, "firmware", "", "linux: folder of NIC firmware to add")
	f.StringVar(&o.Profile, "profile", "", "linux: which drivers: client (default) or server")
	f.StringVar(&o.Source, "source", "", "winpe: Windows ISO, winpe.wim, boot.wim or WinRE image to build from")
	f.IntVar(&o.Index, "index", 0, "winpe: number of the image in the source (default: the fitting one)")
	f.StringVar(&o.Drivers, "drivers", "", "winpe: folder of drivers (.inf), loaded at start before the network")
	f.StringVar(&o.RootCertificates, "root-certificates", "", "winpe: file or folder of certificates to trust as roots")
	f.StringVar(&o.Wallpaper, "wallpaper", "", "winpe: JPEG picture behind the windows")
	f.StringVar(&o.Hooks, "hooks", "", "winpe: folder with before-network, after-network and after-sign-in, each with programs to run then")
	f.StringVar(&o.Architecture, "arch", "", "x64 or arm64 (linux: default x64; winpe: default that of the source)")
	f.StringVar(&o.Overlay, "overlay", "", "folder of files to lay over the image's root; everything in an image is public")
	f.StringVar(&o.Keyboard, "keyboard", "", "layout the prompt starts with (default: the appliance's setting)")
	f.BoolVar(&o.AllowSecrets, "allow-secrets", false, "take files that look like secrets all the same")
	f.BoolVar(&o.Lab, "lab", false, "for labs only: allow a rescue shell and slipway.passcode= on the kernel command line")
	var m mediumRequest
	f.StringVar(&m.kind, "media", "", "also write a medium for machines without network boot: iso or usb")
	f.StringVarP(&m.file, "output", "o", "", "file of the medium (default: slipway.iso or slipway-usb.img)")
	f.BoolVar(&m.force, "force", false, "replace the medium's file when it exists")
	serverFlag(build, &m.servers)
	build.RunE = func(c *cobra.Command, args []string) error {
		o.Kind = args[0]
		if err := kindOfBuild(c, o); err != nil {
			return err
		}
		if o.Kind == bootKindWinPE {
			o.Servers, m.servers = m.servers, nil // they go into the image itself
		}
		if err := mediumOfBuild(&m); err != nil {
			return err
		}
		for _, p := range []*string{&o.Packages, &o.Firmware, &o.Overlay, &o.Source, &o.Drivers, &o.RootCertificates, &o.Wallpaper, &o.Hooks} {
			if imaging.Named(*p) {
				continue
			}
			abs, err := filepath.Abs(*p)
			if err != nil {
				return err
			}
			*p = abs
		}
		return a.buildImage(c.Context(), o, m)
	}
	return build
}

// kindOfBuild refuses flags of the other kind.
func kindOfBuild(c *cobra.Command, o api.BuildImage) error {
	if kindFlags[o.Kind] == nil {
		return usageError{fmt.Errorf("image kind %q is unknown; use %s or %s", o.Kind, bootKindLinux, bootKindWinPE)}
	}
	for kind, flags := range kindFlags {
		for _, name := range flags {
			if kind != o.Kind && c.Flags().Changed(name) {
				return usageError{fmt.Errorf("--%s goes with image build %s", name, kind)}
			}
		}
	}
	if o.Kind == bootKindWinPE && o.Source == "" {
		return usageError{errors.New("image build winpe needs --source FILE: your Windows ISO, winpe.wim, boot.wim or WinRE image")}
	}
	return nil
}

// imageReportCommand shows what a Windows PE image can do.
func (a *app) imageReportCommand() *cobra.Command {
	var script bool
	c := a.jsonFlag(&cobra.Command{Use: "report [ID]", Short: "Show what a Windows PE image is made of and what it can do", Args: usage(cobra.MaximumNArgs(1))})
	c.Flags().BoolVar(&script, "script", false, "print a command file that adds what is missing, for a Windows machine with the ADK")
	c.RunE = func(c *cobra.Command, args []string) error {
		id := ""
		if len(args) == 1 {
			id = args[0]
		}
		var out api.ImageReport
		if err := a.call(c.Context(), "GET", "/admin/images/report?image="+url.QueryEscape(id), nil, &out); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(out)
		}
		if script {
			_, err := fmt.Fprint(a.out, out.Script)
			return err
		}
		r := out.Report
		fmt.Fprintf(a.out, "Image %s, of %s, image %d: %s %s\n", out.Image, printable(r.Source), r.Index, printable(r.Name), printable(r.Version))
		fmt.Fprintf(a.out, "That one because %s.\n", printable(r.Why))
		rows := [][]string{{"COMPONENT", "PACKAGE", "THERE"}}
		for _, c := range r.Components {
			rows = append(rows, []string{c.Name, c.Package, yesNo(c.Present)})
		}
		if err := a.table(rows); err != nil {
			return err
		}
		for _, n := range r.Notes {
			fmt.Fprintf(a.out, "Note: %s.\n", printable(n))
		}
		return nil
	}
	return c
}
