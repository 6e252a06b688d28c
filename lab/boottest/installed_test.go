//go:build lab

package boottest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/lab"
)

const installedSequence = `{
  "format": 1, "id": "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00d7", "version": 1, "status": "active",
  "name": "Installed system",
  "steps": [
    {"id": "before", "name": "Before", "definition": "run-command-line", "settings": {"Command": "echo x >> /root/ran; systemctl is-enabled slipway-agent"}},
    {"id": "reboot", "name": "Restart", "definition": "reboot", "settings": {"RebootRequested": "disk", "RebootDelay": 1}},
    {"id": "cut", "name": "Cut", "definition": "run-command-line", "continueOnError": true,
     "settings": {"Command": "echo y >> /root/ran; sync; echo pull the plug > /dev/ttyS0; sleep 600"}},
    {"id": "after", "name": "After", "definition": "run-command-line", "environments": ["fullos"],
     "settings": {"Command": "echo z >> /root/ran; test \"$(tr -d '\\n' < /root/ran)\" = xyz && grep ^ID=debian /etc/os-release"}}
  ]
}`

// In the guest: the network, one start of the agent, and, after restarts, a look at
// what is left. Nothing there starts the agent a second time.
const installedScript = `#!/bin/bash
ip link set eth0 up
ip address add 10.77.0.50/24 brd + dev eth0
if [ ! -e /etc/slipway/begun ]; then
  touch /etc/slipway/begun
  slipway-agent start --config /etc/slipway/agent.json </dev/null
  echo "agent: exit code $?"
else
  while systemctl -q is-active slipway-agent || [ -e /var/lib/slipway-agent ]; do sleep 1; done
  echo "left behind: $(ls -d /var/lib/slipway-agent /run/slipway-agent /etc/systemd/system{,/*.wants}/slipway-agent.service 2>/dev/null | tr '\n' ' ')."
fi
`

// An installed Debian runs a task sequence, unattended: it signs in with its
// certificate, comes back by itself with the kept token after the restart that the
// sequence asks for and after a power failure, no step runs twice, and nothing of
// the agent's state is left at the end.
func TestInstalledSystem(t *testing.T) {
	t.Parallel()
	run, net := newRun(t)
	appliance, err := net.StartAppliance(t.Context(), lab.ApplianceOptions{})
	must(t, err)
	s := &scene{run: run, net: net, appliance: appliance}
	certificates := newMachineCA(t)
	for name, text := range map[string][]byte{"devices.pem": certificates.pem, "sequence.json": []byte(installedSequence)} {
		must(t, os.WriteFile(run.Path(name), text, 0o644))
	}
	s.slipway(t, "", "auth", "set", "certificate.ca="+run.Path("devices.pem"), "certificate=on")
	s.slipway(t, "", "sequence", "import", run.Path("sequence.json"))

	machine := installedMachine(t, s, map[string][]byte{
		"agent.json": agentConfig(t, s, "0f8c2d7e-5b1a-4c39-9e64-51a9c0de00d7"),
		"device.pem": certificates.issue(t, "pc7.example.org"),
	})
	m, err := net.PowerOn(t.Context(), machine)
	must(t, err)
	expect(t, m, 4*time.Minute, "Signing in with this computer's certificate")
	t.Logf("from power-on to the sign-in: %.0f s", time.Since(m.Started).Seconds())
	if got := expect(t, m, 2*time.Minute, `agent: exit code \d+`); got != "agent: exit code 4" {
		t.Fatalf("%s; the console:\n%s", got, m.Console.Text())
	}
	expect(t, m, 4*time.Minute, "pull the plug")
	t.Logf("from power-on over a restart to the third step: %.0f s", time.Since(m.Started).Seconds())
	m.PowerOff()

	machine.Name += "-again"
	m, err = net.PowerOn(t.Context(), machine)
	must(t, err)
	expect(t, m, 4*time.Minute, `Step 3 of 4: Cut: failed.*: It was interrupted, and nobody is there`)
	expect(t, m, 2*time.Minute, "Step 4 of 4: After: succeeded")
	if got := expect(t, m, 3*time.Minute, `left behind: .*\.`); got != "left behind: ." {
		t.Errorf("%s", got)
	}
	t.Logf("from the second power-on to the end: %.0f s", time.Since(m.Started).Seconds())

	all := s.deployments(t)
	if len(all) != 1 || all[0].Status != fleet.DeploymentSucceeded || all[0].Environment != "fullos" || all[0].Epoch != 3 {
		t.Fatalf("one deployment in an installed OS, taken up twice, was to succeed: %+v", all)
	}
	entries := decode[struct{ Entries []fleet.AuditEntry }](t, s.slipway(t, "", "audit", "list", "--json")).Entries
	var signIns []string
	for _, e := range entries {
		if strings.HasSuffix(e.Action, ".accepted") {
			signIns = append(signIns, e.Action+" "+e.Address)
		}
	}
	if !slices.Equal(signIns, []string{"certificate.accepted 10.77.0.50"}) {
		t.Errorf("one sign-in, by the certificate, was to be in the audit log: %q\n%+v", signIns, entries)
	}
}

// agentConfig is what the appliance prints, with the two members that a
// technician adds.
func agentConfig(t *testing.T, s *scene, sequence string) []byte {
	t.Helper()
	printed := s.slipway(t, "", "agent-config", "--set", "TSID="+sequence)
	if !strings.Contains(printed, lab.ApplianceAddress+":8443") {
		t.Errorf("the appliance names another address:\n%s", printed)
	}
	before, ok := strings.CutSuffix(strings.TrimSpace(printed), "}")
	if !ok {
		t.Fatalf("not an object:\n%s", printed)
	}
	return []byte(strings.TrimSpace(before) + ",\n  \"Certificate\": {\"File\": \"device.pem\"}\n}\n")
}

// installedMachine is a machine whose disk holds a Debian with the agent and these
// files in /etc/slipway.
func installedMachine(t *testing.T, s *scene, files map[string][]byte) lab.MachineConfig {
	t.Helper()
	image, err := lab.Debian(filepath.Join(lab.Root(), ".cache", "lab"))
	must(t, err)
	disk, extra := s.run.Path("debian.ext4"), s.run.Path("extra.ext4")
	must(t, exec.Command("cp", "--reflink=auto", "--sparse=always", image, disk).Run())
	dir := t.TempDir()
	must(t, exec.Command("cp", filepath.Join(lab.Root(), "bin", "slipway-agent"), dir).Run())
	must(t, os.WriteFile(filepath.Join(dir, "lab.sh"), []byte(installedScript), 0o755))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	must(t, lab.MakeExt4(extra, 64, dir))
	guest, err := s.run.BuildGuest("installed", packages(t), `
mount -t ext4 /dev/vda /mnt
if [ ! -e /mnt/etc/slipway ]; then
  mkdir /tmp/extra /mnt/etc/slipway
  mount -t ext4 -o ro /dev/vdb /tmp/extra
  cp /tmp/extra/slipway-agent /tmp/extra/lab.sh /mnt/usr/local/bin
  cp /tmp/extra/*.json /tmp/extra/*.pem /mnt/etc/slipway
  chmod 600 /mnt/etc/slipway/*
  umount /tmp/extra
  for unit in serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
    dpkg-db-backup.timer fstrim.timer systemd-timesyncd.service; do ln -sf /dev/null /mnt/etc/systemd/system/$unit; done
  mkdir -p /mnt/etc/systemd/system.conf.d
  printf '[Manager]\nDefaultStandardOutput=journal+console\n' > /mnt/etc/systemd/system.conf.d/lab.conf
  printf '[Unit]\nBefore=network-online.target\n[Service]\nExecStart=/usr/local/bin/lab.sh\n[Install]\nWantedBy=multi-user.target\n' \
    > /mnt/etc/systemd/system/lab.service
  ln -s /etc/systemd/system/lab.service /mnt/etc/systemd/system/multi-user.target.wants/lab.service
fi
umount /proc /sys /dev
exec switch_root /mnt /sbin/init
`, nil)
	must(t, err)
	return lab.MachineConfig{
		Name: "installed", Firmware: lab.Direct, Kernel: guest.Kernel, Initrd: guest.Initrd, Memory: 768,
		Cmdline: "console=ttyS0 net.ifnames=0 quiet systemd.show_status=0",
		Disks:   []lab.Disk{{Path: disk}, {Path: extra}},
	}
}

// machineCA issues the certificates of machines, as a company's own CA does.
type machineCA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newMachineCA(t *testing.T) machineCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lab devices"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return machineCA{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue returns a certificate with its key as one PEM file.
func (ca machineCA) issue(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, &key.PublicKey, ca.key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	var file bytes.Buffer
	must(t, pem.Encode(&file, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	must(t, pem.Encode(&file, &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return file.Bytes()
}
