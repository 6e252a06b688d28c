package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
)

func (a *app) agentConfigCommand() *cobra.Command {
	var server string
	var variables []string
	c := &cobra.Command{Use: "agent-config", Short: "Print a configuration file for slipway-agent on installed systems", Args: usage(cobra.NoArgs),
		Long: "Prints the file that `slipway-agent start --config FILE` reads on an installed system: the appliance's\naddress, its id and its authorities, and the variables given. Add a Certificate to sign in without anybody\nbeing asked.",
		RunE: func(c *cobra.Command, _ []string) error {
			out, err := a.agentConfigWith(c.Context(), server, variables)
			if err != nil {
				return err
			}
			return a.printJSON(out)
		}}
	c.Flags().StringVar(&server, "server", "", "address under which the systems reach the appliance")
	c.Flags().StringArrayVar(&variables, "set", nil, "a variable, e.g. TSID=<sequence id> (may be repeated)")
	return c
}

// agentConfigWith is the appliance's agentConfig with another address and variables,
// each "NAME=VALUE".
func (a *app) agentConfigWith(ctx context.Context, server string, variables []string) (api.AgentConfig, error) {
	var out api.AgentConfig
	if strings.ContainsAny(server, " \t\r\n/\\@?#") { // as the agent has it
		return out, usageError{fmt.Errorf("--server: %q is no address such as 192.0.2.10 or slipway.example.org:8443, without https:// and path", server)}
	}
	given := map[string]string{}
	for _, v := range variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return out, usageError{fmt.Errorf("%q is not NAME=VALUE", v)}
		}
		given[name] = value
	}
	if err := a.call(ctx, "GET", "/admin/agent-config", nil, &out); err != nil {
		return out, err
	}
	out.Server = cmp.Or(server, out.Server)
	if out.Variables == nil {
		out.Variables = map[string]string{}
	}
	maps.Copy(out.Variables, given)
	return out, nil
}

// agentConfig is what an installed system needs to know of this appliance.
func (a *appliance) agentConfig() api.AgentConfig {
	host := a.cfg.Advertise
	if host == "" {
		host = firstAddress()
	}
	return api.AgentConfig{Server: net.JoinHostPort(host, strconv.Itoa(int(portOf(a.cfg.HTTPS)))),
		Installation: a.pki.InstallationID(), CA: string(a.pki.CAPEM()), Variables: map[string]string{}}
}

// firstAddress is this machine's first IPv4 address that others may reach, or the
// loopback one.
func firstAddress() string {
	list, _ := net.InterfaceAddrs()
	for _, x := range list {
		if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr().String()
		}
	}
	return "127.0.0.1"
}
