package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/config"
	"slipway/appliance/internal/dhcpoptions"
	"slipway/fleet"
	"slipway/netboot"
)

// dhcpOptionsCommand reads only the configuration: the appliance need not run.
func (a *app) dhcpOptionsCommand() *cobra.Command {
	var server, address string
	c := a.jsonFlag(&cobra.Command{Use: "dhcp-options --server " + strings.Join(dhcpoptions.Servers(), "|"),
		Short: "Print the settings for a DHCP server that is to lead machines here without the proxy", Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains(dhcpoptions.Servers(), server) {
				return usageError{fmt.Errorf("the server %q is not known; use --server %s", server, strings.Join(dhcpoptions.Servers(), ", "))}
			}
			cfg, err := a.load()
			if err != nil {
				return err
			}
			v := dhcpoptions.Values{HTTPPort: portOf(cfg.HTTP), APIPort: portOf(cfg.HTTPS)}
			if v.Address, err = reachedAt(cfg, address); err != nil {
				return err
			}
			var notes []string
			v.First, notes = firstLoaders(cfg)
			for _, n := range notes {
				fmt.Fprintln(a.err, "Note: "+n)
			}
			text, err := dhcpoptions.Write(server, v)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"server": server, "address": v.Address.String(), "settings": text})
			}
			_, err = fmt.Fprint(a.out, text)
			return err
		}})
	c.Flags().StringVar(&server, "server", "", "the other DHCP server: "+strings.Join(dhcpoptions.Servers(), ", "))
	c.Flags().StringVar(&address, "address", "", "address of this appliance that devices reach (default: advertise, else that of the only interface)")
	return c
}

// firstLoaders are what UEFI firmware is given first by boot.uefi, as far as a DHCP
// server of others can give it, and what has to be known about that.
func firstLoaders(cfg config.Config) (first netboot.ForeignFirst, notes []string) {
	way := fleet.BootWay(cfg.Boot.UEFI)
	switch way {
	case fleet.BootByShim:
		first.Shim = true
		notes = append(notes, "boot.uefi is shim: 64-bit x86 machines get Debian's signed shim by PXE; UEFI HTTP Boot of them is left out, and 32-bit x86 and ARM get iPXE, for which Secure Boot has to be off.")
	case fleet.BootBySignedIPXE:
		first.Signed = map[string]string{}
		for _, arch := range []string{netboot.ArchX64, netboot.ArchARM64} {
			if pair := wholePair(cfg.Data, arch); pair != nil {
				first.Signed[arch] = pair[0]
			} else {
				notes = append(notes, fmt.Sprintf("boot.uefi is signed-ipxe, but the data folder has no whole pair of signed files for %s (slipway image loaders lists them): these settings give such machines iPXE, for which Secure Boot has to be off.", arch))
			}
		}
	case fleet.BootByOneFile:
		notes = append(notes, "boot.uefi is one-file, whose name is made for each machine, which only the appliance's own answers can do: these settings give UEFI machines iPXE, for which Secure Boot has to be off. With Secure Boot on, set boot.uefi to shim or signed-ipxe.")
	}
	return first, notes
}

// reachedAt finds the address that devices reach the appliance at.
func reachedAt(cfg config.Config, given string) (netip.Addr, error) {
	if text := given; text != "" || cfg.Advertise != "" {
		if text == "" {
			text = cfg.Advertise
		}
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() {
			return a, usageError{fmt.Errorf("--address: %q is not an IPv4 address that devices can reach", text)}
		}
		return a, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return netip.Addr{}, err
	}
	var found []netip.Addr
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || len(cfg.Interfaces) > 0 && !slices.Contains(cfg.Interfaces, i.Name) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, x := range addrs {
			if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLinkLocalUnicast() {
				found = append(found, p.Addr())
			}
		}
	}
	switch len(found) {
	case 0:
		return netip.Addr{}, errors.New("this machine has no IPv4 address on a served interface: say with --address where devices reach the appliance")
	case 1:
		return found[0], nil
	}
	return netip.Addr{}, fmt.Errorf("this machine has several addresses (%s): say with --address, or the key advertise, which one devices reach", join(found))
}

func join(list []netip.Addr) string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
