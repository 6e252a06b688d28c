package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Passcode is the passcode of every lab appliance.
const Passcode = "slipway-lab"

// ApplianceOptions say how the lab's appliance is configured.
type ApplianceOptions struct {
	Data   string // data folder, default <run>/data; made when missing
	Config string // further lines of YAML
	Binary string // default bin/slipway of the checkout
}

// Appliance is a running `slipway serve` in its namespace.
type Appliance struct {
	*Process
	NS     *Namespace
	Config string // path of its configuration
	Data   string
	binary string
	run    *Run
	net    *Network
}

// StartAppliance runs the appliance on the segment and waits until it is ready.
func (n *Network) StartAppliance(ctx context.Context, o ApplianceOptions) (*Appliance, error) {
	ns, err := n.Attach("app", ApplianceAddress)
	if err != nil {
		return nil, err
	}
	if o.Data == "" {
		o.Data = n.run.Path("data")
	}
	if o.Binary == "" {
		o.Binary = filepath.Join(Root(), "bin", "slipway")
	}
	a := &Appliance{NS: ns, Data: o.Data, Config: n.run.Path("slipway.yaml"), binary: o.Binary, run: n.run, net: n}
	if err := a.Configure(o.Config); err != nil {
		return nil, err
	}
	return a, a.Restart(ctx)
}

// Configure writes the configuration; it takes effect with the next Restart.
func (a *Appliance) Configure(extra string) error {
	text := "data: " + a.Data + "\nlog:\n  format: text\n  level: debug\n" + extra
	return os.WriteFile(a.Config, []byte(text), 0o600)
}

// Restart starts the appliance, after ending it when it runs, and waits until it
// answers readyz.
func (a *Appliance) Restart(ctx context.Context) error {
	if a.Process != nil {
		a.Stop()
	}
	var err error
	if a.Process, err = a.run.Start("appliance", a.NS, a.binary, "serve", "--config", a.Config); err != nil {
		return err
	}
	return a.WaitFor(30*time.Second, "the appliance to be ready", func() bool { return a.ready(ctx) == nil })
}

func (a *Appliance) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL("/readyz"), nil)
	if err != nil {
		return err
	}
	resp, err := a.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// URL returns the address of an HTTPS path.
func (a *Appliance) URL(path string) string { return "https://" + ApplianceAddress + ":8443" + path }

// Client speaks HTTPS from the segment, as a device's neighbour would. It does
// not check the certificate: what the tests say over it is not secret.
func (a *Appliance) Client() *http.Client {
	t := a.net.Bridge.Transport()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the lab looks from outside
	t.DisableKeepAlives = true
	return &http.Client{Transport: t, Timeout: Timeout(10 * time.Second)}
}

// Command runs a slipway command against the appliance's local socket, from the
// host's namespace, and returns what it printed.
func (a *Appliance) Command(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, a.binary, args...)
	cmd.Env = append(os.Environ(), "SLIPWAY_CONFIG="+a.Config)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("slipway %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
