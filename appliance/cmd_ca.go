package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/fleet"
)

func (a *app) caCommand() *cobra.Command {
	return group("ca", "The appliance's certificate authority", a.caShowCommand(), a.caStatusCommand(), a.caRotateCommand(), a.caChangeoverCommand(), a.caRetireCommand())
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

func (a *app) caStatusCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{Use: "status", Short: "Show the authorities, and which images and devices do not trust the newest", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out fleet.AuthorityStatus
			if err := a.call(c.Context(), "GET", "/admin/ca/status", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			return a.printAuthorities(out)
		}})
}

func (a *app) caRotateCommand() *cobra.Command {
	var in api.RotateCA
	c := a.jsonFlag(&cobra.Command{Use: "rotate", Short: "Replace the authority: a new one goes into every boot image, and signs once all that are served have it", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := absolute(&in.Packages, &in.Firmware, &in.Overlay); err != nil {
				return err
			}
			var out api.CARotation
			if err := a.call(c.Context(), "POST", "/admin/ca/rotate", in, &out); err != nil {
				return err
			}
			if !out.Begun && !a.json {
				fmt.Fprintln(a.out, "A rotation was under way already; it goes on.")
			}
			return a.printRotation(out)
		}})
	c.Flags().BoolVar(&in.Now, "now", false, "let the new authority sign at once, e.g. when the old one's key is no longer secret: devices that boot older images or media cannot connect")
	folderFlags(c, &in.Packages, &in.Firmware, &in.Overlay, &in.AllowSecrets)
	return c
}

func (a *app) caChangeoverCommand() *cobra.Command {
	var in api.ForceCA
	c := a.jsonFlag(&cobra.Command{Use: "changeover", Short: "Let the pending authority sign now (it does by itself when nothing holds it up)", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.CARotation
			if err := a.call(c.Context(), "POST", "/admin/ca/changeover", in, &out); err != nil {
				return err
			}
			return a.printRotation(out)
		}})
	c.Flags().BoolVar(&in.Force, "force", false, "although devices on older images cannot connect afterwards")
	return c
}

func (a *app) caRetireCommand() *cobra.Command {
	var in api.ForceCA
	c := a.jsonFlag(&cobra.Command{Use: "retire", Short: "End a rotation: boot images built from now on no longer trust the old authority", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := absolute(&in.Packages, &in.Firmware, &in.Overlay); err != nil {
				return err
			}
			var out api.CARotation
			if err := a.call(c.Context(), "POST", "/admin/ca/retire", in, &out); err != nil {
				return err
			}
			return a.printRotation(out)
		}})
	c.Flags().BoolVar(&in.Force, "force", false, "although a served image lacks the new authority")
	folderFlags(c, &in.Packages, &in.Firmware, &in.Overlay, &in.AllowSecrets)
	return c
}

// folderFlags are the folders a build needs again; the appliance records none.
func folderFlags(c *cobra.Command, packages, firmware, overlay *string, secrets *bool) {
	c.Flags().StringVar(packages, "packages", "", "folder of packages for the builds that follow")
	c.Flags().StringVar(firmware, "firmware", "", "folder of firmware that the images hold")
	c.Flags().StringVar(overlay, "overlay", "", "folder of files that the images hold")
	c.Flags().BoolVar(secrets, "allow-secrets", false, "build although a folder holds what looks like secrets")
}

// absolute makes folders mean the same to the appliance, which runs elsewhere.
func absolute(folders ...*string) error {
	for _, dir := range folders {
		if *dir == "" {
			continue
		}
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = abs
	}
	return nil
}

func (a *app) printRotation(out api.CARotation) error {
	if a.json {
		return a.printJSON(out)
	}
	for _, id := range out.Builds {
		fmt.Fprintf(a.out, "Building a boot image with the present authorities: %s (slipway image list shows it when it is done)\n", id)
	}
	for _, text := range out.Left {
		fmt.Fprintf(a.out, "Left to do: %s\n", printable(text))
	}
	return a.printAuthorities(out.Status)
}

func (a *app) printAuthorities(s fleet.AuthorityStatus) error {
	rows := [][]string{{"AUTHORITY", "STATE", "CREATED", "EXPIRES", "SHA-256 FINGERPRINT"}}
	for _, x := range s.Authorities {
		rows = append(rows, []string{x.Name, string(x.State), stamp(x.CreatedAt), stamp(x.ExpiresAt), x.Fingerprint})
	}
	if err := a.table(rows); err != nil {
		return err
	}
	if err := a.printLacking("Boot images without the newest authority", s.Images); err != nil {
		return err
	}
	if err := a.printLacking("Devices that were last served such an image", s.Devices); err != nil {
		return err
	}
	if err := a.printLacking("Media without the newest authority, as far as they were made here (make them again; slipway image media --forget ID when one is gone)", s.Media); err != nil {
		return err
	}
	if len(s.Blocked) > 0 {
		fmt.Fprintln(a.out, "\nHeld up by:")
		for _, b := range s.Blocked {
			fmt.Fprintf(a.out, "  %s\n", printable(b))
		}
	}
	_, err := fmt.Fprintf(a.out, "\n%s\n", s.Next)
	return err
}

func (a *app) printLacking(head string, list []fleet.AuthorityLack) error {
	if len(list) == 0 {
		return nil
	}
	fmt.Fprintf(a.out, "\n%s:\n", head)
	rows := [][]string{{"IMAGE", "KIND", "ARCHITECTURE", "SERVED", "BUILT"}}
	if list[0].Device != "" {
		rows = [][]string{{"DEVICE", "NAME", "IMAGE", "LAST SEEN", "DEPLOYMENT"}}
	}
	if list[0].Medium != "" {
		rows = [][]string{{"MEDIUM", "KIND", "IMAGE", "MADE", "BY"}}
	}
	for _, l := range list {
		row := []string{l.Image, l.Kind, l.Architecture, yesNo(l.Served), stamp(l.At)}
		if l.Device != "" {
			row = []string{l.Device, l.Name, l.Image, stamp(l.At), l.Deployment}
		}
		if l.Medium != "" {
			row = []string{l.Medium, l.Kind, l.Image, stamp(l.At), printable(l.Name)}
		}
		rows = append(rows, row)
	}
	return a.table(rows)
}
