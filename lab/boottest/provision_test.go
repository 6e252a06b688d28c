//go:build lab

package boottest

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// Vagrant's provisioning script makes a Debian machine an appliance, twice over,
// without a package source: the checkout's disk brings programs and packages. The long
// form, by `make soak`, builds the boot image there too, which takes an emulated
// processor many minutes.
func TestProvisionDebian(t *testing.T) {
	t.Parallel()
	boot := "none"
	if soaking() {
		boot = "linux"
	}
	run, net := newRun(t)
	image, err := lab.Debian(filepath.Join(lab.Root(), ".cache", "lab"))
	must(t, err)
	disk := run.Path("debian.ext4")
	must(t, exec.Command("cp", "--reflink=auto", "--sparse=always", image, disk).Run())
	checkout := run.Path("checkout.ext4")
	must(t, lab.MakeExt4(checkout, 512, checkoutFolder(t)))

	guest, err := run.BuildGuest("debian", packages(t), `
mount -t ext4 /dev/vda /mnt
mkdir -p /mnt/vagrant
cat > /mnt/etc/systemd/system/lab.service <<'UNIT'
[Unit]
Description=what Vagrant would do
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/bash -c 'mount -t ext4 /dev/vdb /vagrant; ip link set eth0 up; ip address add 10.77.0.2/24 brd + dev eth0; \
 cp /vagrant/lab/provision.sh /tmp/vagrant-shell; export SLIPWAY_INTERFACE=10.77.0.2 SLIPWAY_IMAGE=`+boot+`; \
 bash /tmp/vagrant-shell; echo "provisioned: $?"; bash /tmp/vagrant-shell; echo "again: $?"'
[Install]
WantedBy=multi-user.target
UNIT
# A login prompt would hang up the line that the script writes to.
ln -sf /dev/null /mnt/etc/systemd/system/serial-getty@ttyS0.service
ln -sf /etc/systemd/system/lab.service /mnt/etc/systemd/system/multi-user.target.wants/lab.service
umount /proc /sys /dev
exec switch_root /mnt /sbin/init
`, nil)
	must(t, err)
	m, err := net.PowerOn(t.Context(), lab.MachineConfig{
		Name: "debian", Firmware: lab.Direct, Kernel: guest.Kernel, Initrd: guest.Initrd, Memory: 2048,
		Cmdline: "console=ttyS0 net.ifnames=0 quiet systemd.show_status=0 systemd.journald.forward_to_console=0",
		Disks:   []lab.Disk{{Path: disk}, {Path: checkout}},
	})
	must(t, err)
	expect(t, m, 4*time.Minute, "provision: installing the appliance")
	if got := expect(t, m, 3*time.Minute, `provision: the appliance answers readyz|provisioned: \d+`); strings.HasPrefix(got, "provisioned") {
		t.Fatalf("%s before it was ready; the console:\n%s", got, m.Console.Text())
	}
	t.Logf("readyz after %.0f s", time.Since(m.Started).Seconds())
	if got := expect(t, m, 8*time.Minute, `provisioned: \d+`); got != "provisioned: 0" {
		t.Fatalf("%s; the console:\n%s", got, m.Console.Text())
	}
	// Seen from the network, as a device would.
	resp, err := insecure(net).Get("https://" + lab.ApplianceAddress + ":8443/readyz")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("readyz from the network: %s", resp.Status)
	}
	if got := expect(t, m, 8*time.Minute, `again: \d+`); got != "again: 0" {
		t.Errorf("the second run: %s; the console:\n%s", got, m.Console.Text())
	}
	if built := strings.Contains(m.Console.Text(), "provision: building the boot image"); built != (boot == "linux") {
		t.Errorf("asked for the boot image %s, one was built: %v", boot, built)
	}
}

// checkoutFolder is what Vagrant's synced folder holds for the script.
func checkoutFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := lab.Root()
	for _, name := range []string{"Makefile", "lab", "bin/slipway", "bin/slipway-agent"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, exec.Command("cp", "-a", filepath.Join(root, name), filepath.Join(dir, name)).Run())
	}
	must(t, os.MkdirAll(filepath.Join(dir, ".cache"), 0o755))
	must(t, exec.Command("cp", "-a", packages(t), filepath.Join(dir, ".cache", "packages")).Run())
	return dir
}
