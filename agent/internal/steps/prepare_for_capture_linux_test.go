package steps

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/tasksequence"
)

func TestPrepareForCapture(t *testing.T) {
	gone := []string{"etc/ssh/ssh_host_rsa_key", "var/lib/systemd/random-seed", "var/lib/cloud/instances/i-1/user-data", "var/lib/dhcp/dhclient.eth0.leases",
		"var/lib/NetworkManager/internal-1-eth0.lease", "etc/udev/rules.d/70-persistent-net.rules", "root/.bash_history",
		"var/log/journal/0123/system.journal", "var/log/syslog.1", "var/log/apt/history.log.2.gz", "var/log/messages-20240506"}
	empty := []string{"etc/machine-id", "var/log/syslog", "var/log/apt/history.log", "var/log/app-2/app.log"}
	stay := []string{"etc/slipway-agent.json", "var/lib/slipway-agent/token", "usr/local/sbin/slipway-agent", "etc/systemd/system/slipway-agent.service",
		"var/lib/cloud/seed/nocloud/user-data", "etc/ssh/sshd_config", "etc/hostname", "etc/udev/rules.d/99-own.rules", "var/lib/dhcp/dhclient.conf", "srv/syslog.1"}
	for _, where := range []string{tasksequence.FullOS, tasksequence.LinuxPE} {
		t.Run(where, func(t *testing.T) {
			b := newBench(t)
			if where == tasksequence.LinuxPE {
				disks := disktest.New(t, disk.Disk{ID: "d", Size: 1 << 30})
				disks.Root, b.disks = b.root, disks
				b.set(tasksequence.VariableTargetLayout, targetLayout.Text())
			}
			b.set(tasksequence.VariableEnvironment, where)
			for _, name := range slices.Concat(gone, empty, stay) {
				b.put(name, "text of "+name)
			}
			outside := filepath.Join(t.TempDir(), "outside.log")
			if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, filepath.Join(b.root, "var/log/link.log")); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time as after an interruption
				if _, err := b.run(tasksequence.PrepareForCapture, nil); err != nil {
					t.Fatal(err)
				}
				if len(*b.lines) > 5 {
					log := strings.Join(*b.lines, "\n")
					for _, want := range []string{"/etc/machine-id emptied", "/etc/ssh/ssh_host_rsa_key removed", "/var/lib/cloud/instances removed", "/var/log: 4 files removed, 3 emptied"} {
						if !strings.Contains(log, want) {
							t.Errorf("the log misses %q:\n%s", want, log)
						}
					}
				}
			}
			for _, name := range gone {
				if _, err := os.Lstat(filepath.Join(b.root, name)); err == nil {
					t.Errorf("%s is still there", name)
				}
			}
			for _, name := range empty {
				b.want(name, b.file(name), "")
			}
			for _, name := range stay {
				b.want(name, b.file(name), "text of "+name)
			}
			if text, err := os.ReadFile(outside); err != nil || string(text) != "x" {
				t.Error("a log outside was touched")
			}
		})
	}
}
