package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/intune"
	"slipway/bootimages"
)

// packagedConfig is the configuration in a package: that of agent-config, with the
// machine's certificate to sign in with.
type packagedConfig struct {
	api.AgentConfig
	Certificate *storeCertificate `json:"Certificate,omitempty"`
}

// storeCertificate takes the certificate from Windows' machine store.
type storeCertificate struct {
	Store struct {
		Subject string `json:"Subject,omitempty"`
		Issuer  string `json:"Issuer,omitempty"`
	} `json:"Store"`
}

func (a *app) agentCommand() *cobra.Command {
	return group("agent", "The agent for installed systems", a.agentPackageCommand())
}

func (a *app) agentPackageCommand() *cobra.Command {
	var out, server, agent, arch, subject, issuer string
	var variables []string
	var noCertificate bool
	c := &cobra.Command{Use: "package --out FILE", Short: "Write the agent for Windows as a Win32 package for Microsoft Intune", Args: usage(cobra.NoArgs),
		Long: "Writes a package (.intunewin) of slipway-agent.exe and its configuration, and its detection script beside it\n(FILE without its ending, then -detect.ps1). The machine's certificate signs in, so that nobody is asked; name the\ntask sequence with --set TSID=ID. What to enter in Intune is in docs/intune.md.",
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("--out FILE is missing")}
			}
			path, err := bootimages.FindWindowsAgent(agent, arch)
			if err != nil {
				return err
			}
			program, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read the agent: %w", err)
			}
			var config packagedConfig
			if config.AgentConfig, err = a.agentConfigWith(c.Context(), server, variables); err != nil {
				return err
			}
			if !noCertificate {
				config.Certificate = &storeCertificate{}
				config.Certificate.Store.Subject, config.Certificate.Store.Issuer = subject, issuer
			}
			for name := range config.Variables {
				if strings.EqualFold(name, "Passcode") {
					fmt.Fprintln(a.err, "Warning: the passcode can be read by whoever gets the package, on every computer that it is assigned to")
				}
			}
			text, err := json.MarshalIndent(config, "", "  ")
			if err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			p := intune.Agent{Program: program, Config: append(text, '\n')}
			if err := writePackage(out, p); err != nil {
				return err
			}
			detect := strings.TrimSuffix(out, filepath.Ext(out)) + "-detect.ps1"
			if err := os.WriteFile(detect, p.Detect(), 0o644); err != nil {
				return fmt.Errorf("write the detection script: %w", err)
			}
			fmt.Fprintf(a.out, "package   %s\ndetection %s\nid        %s\n", out, detect, p.ID())
			return nil
		}}
	f := c.Flags()
	f.StringVar(&out, "out", "", "the package, e.g. slipway.intunewin")
	f.StringVar(&server, "server", "", "address under which the computers reach the appliance")
	f.StringArrayVar(&variables, "set", nil, "a variable, e.g. TSID=<sequence id> (may be repeated)")
	f.StringVar(&subject, "store-subject", "", "part of the subject of the certificate in the machine's store")
	f.StringVar(&issuer, "store-issuer", "", "part of its issuer's name")
	f.BoolVar(&noCertificate, "no-certificate", false, "sign in without the machine's certificate")
	f.StringVar(&agent, "agent", "", "slipway-agent.exe, when it is not beside this program")
	f.StringVar(&arch, "arch", bootimages.X64, "x64 or arm64")
	return c
}

// writePackage writes the file whole or not at all.
func writePackage(name string, p intune.Agent) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".slipway-package-*")
	if err != nil {
		return fmt.Errorf("write the package: %w", err)
	}
	err = errors.Join(p.Write(f, rand.Reader), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the package: %w", err), os.Remove(f.Name()))
	}
	return nil
}
