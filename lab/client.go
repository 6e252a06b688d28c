package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// OrdinaryClient is a DHCP client that has nothing to do with network boot: any
// laptop or printer on the same segment.
type OrdinaryClient struct {
	NS  *Namespace
	run *Run
}

// NewOrdinaryClient puts one on the segment.
func (n *Network) NewOrdinaryClient(name string) (*OrdinaryClient, error) {
	ns, err := n.Attach(name, "")
	if err != nil {
		return nil, err
	}
	return &OrdinaryClient{NS: ns, run: n.run}, nil
}

// MAC returns the client's hardware address.
func (c *OrdinaryClient) MAC() (mac string, err error) {
	out, err := exec.Command("ip", "-n", c.NS.Name, "-o", "link", "show", "eth0").Output()
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(out), "link/ether ")
	if f := strings.Fields(rest); ok && len(f) > 0 {
		return f[0], nil
	}
	return "", fmt.Errorf("no hardware address in %q", out)
}

// Lease asks for a lease with udhcpc and returns what the server gave, as
// udhcpc's variables ("ip", "serverid", "siaddr", "boot_file", "tftp", ...).
func (c *OrdinaryClient) Lease() (map[string]string, error) { return c.LeaseAs() }

// LeaseAs is Lease with further arguments of udhcpc, e.g. "-V" and a vendor class.
func (c *OrdinaryClient) LeaseAs(more ...string) (map[string]string, error) {
	result := c.run.Path(c.NS.Name + ".lease")
	script := c.run.Path(c.NS.Name + ".sh")
	text := "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nenv > '" + result + "'\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		return nil, err
	}
	// Ask for everything a boot server could have slipped in: 43, 60, 66, 67, 175.
	args := []string{"netns", "exec", c.NS.Name, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", script}
	for _, option := range []string{"43", "60", "66", "67", "175"} {
		args = append(args, "-O", option)
	}
	_ = os.Remove(result)
	if err := command("ip", append(args, more...)...); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(result)
	if err != nil {
		return nil, fmt.Errorf("the DHCP client got no lease: %w", err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(b)) {
		// udhcpc's own variables are in lower case, those of the environment are not.
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && k == strings.ToLower(k) {
			vars[k] = v
		}
	}
	return vars, nil
}
