package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ForeignDHCP is a DHCP server of another make, with settings that it was told.
type ForeignDHCP struct {
	*Process
	NS *Namespace
}

// peers is where lab/dhcp-peers.sh puts the servers that are not installed.
func peers() string { return filepath.Join(Root(), ".cache", "dhcp") }

// StartForeignDHCP runs "isc", "kea" or "dnsmasq" as the segment's only DHCP server.
// settings is what `slipway dhcp-options` printed for it.
func (n *Network) StartForeignDHCP(kind, settings string) (*ForeignDHCP, error) {
	ns, err := n.Attach("dhcp", DHCPAddress)
	if err != nil {
		return nil, err
	}
	d := &ForeignDHCP{NS: ns}
	conf, leases := n.run.Path(kind+".conf"), n.run.Path(kind+".leases")
	var text, ready string
	var argv []string
	switch kind {
	case "isc":
		text = "authoritative;\nddns-update-style none;\n" + settings +
			"subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.200; default-lease-time 3600; }\n"
		ready = "Sending on   Socket/fallback"
		argv = []string{filepath.Join(peers(), "isc-dhcp-server", "usr/sbin/dhcpd"), "-4", "-f", "-cf", conf, "-lf", leases, "--no-pid", "eth0"}
	case "kea":
		text = `{"Dhcp4": {
"interfaces-config": {"interfaces": ["eth0"]},
"lease-database": {"type": "memfile", "persist": false},
"loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
"subnet4": [{"subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.100 - 10.77.0.200"}]}],
` + settings + "}}\n"
		ready = "DHCP4_STARTED"
		root := filepath.Join(peers(), "kea-common", "usr/lib/x86_64-linux-gnu")
		argv = []string{"env", "LD_LIBRARY_PATH=" + root, "KEA_PIDFILE_DIR=" + n.run.Dir, "KEA_LOCKFILE_DIR=" + n.run.Dir,
			filepath.Join(peers(), "kea-dhcp4-server", "usr/sbin/kea-dhcp4"), "-c", conf}
	case "dnsmasq":
		text = "port=0\ninterface=eth0\nbind-interfaces\ndhcp-authoritative\nno-ping\nlog-dhcp\nuser=root\npid-file=\n" +
			"dhcp-leasefile=" + leases + "\ndhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h\n" + settings
		ready = "DHCP, IP range"
		argv = []string{"dnsmasq", "--no-daemon", "--conf-file=" + conf}
	default:
		return nil, fmt.Errorf("no DHCP server %q in the lab", kind)
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(leases, nil, 0o644); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil, fmt.Errorf("run lab/dhcp-peers.sh .cache/dhcp first: %w", err)
	}
	if d.Process, err = n.run.Start(kind, ns, argv...); err != nil {
		return nil, err
	}
	return d, d.WaitFor(20*time.Second, "the DHCP server", func() bool {
		b, _ := os.ReadFile(d.Log)
		return strings.Contains(string(b), ready)
	})
}
