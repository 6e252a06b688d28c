package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// rootPackages make a Debian that is deployed in the tests: a kernel, both GRUBs,
// systemd with its network, and what the steps of the full system need.
var rootPackages = []string{"systemd-sysv", "udev", "dbus", "kmod", "linux-image-amd64", "initramfs-tools", "zstd",
	"grub-efi-amd64-bin", "grub-pc-bin", "grub2-common", "iproute2", "hostname", "ca-certificates", "locales", "tzdata"}

// rootHooks prepare the system as an administrator's image would be: its network
// comes by DHCP, its console is on the serial line, nothing of it is one machine's
// alone, and its initramfs holds what virtual machines need (quick to build and load).
// It has no package source, which no lab could reach: asked for updates it has none.
var rootHooks = []string{
	`printf '[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv4\n' >"$1/etc/systemd/network/20-wired.network"`,
	`chroot "$1" systemctl enable systemd-networkd.service serial-getty@ttyS0.service`,
	`chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer`,
	`printf 'MODULES=list\nCOMPRESS=zstd\n' >"$1/etc/initramfs-tools/conf.d/lab"`,
	`printf '%s\n' virtio_pci virtio_blk virtio_net virtio_rng ext4 crc32c_generic >>"$1/etc/initramfs-tools/modules"`,
	`chroot "$1" update-initramfs -u -k all`,
	`rm -f "$1/etc/hostname"; : >"$1/etc/machine-id"; rm -f "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.d"/*; rm -rf "$1/var/cache/apt/archives"/*.deb "$1/var/lib/apt/lists"/*`,
}

// DebianRoot returns the path of a root file system of Debian as tar.zst, made with
// mmdebstrap and kept below cache. It is what an administrator brings to deploy.
func DebianRoot(cache string) (string, error) {
	key := sha256.Sum256([]byte(debianSuite + strings.Join(rootPackages, " ") + strings.Join(rootHooks, "\n")))
	file := filepath.Join(cache, "root-"+hex.EncodeToString(key[:6])+".tar.zst")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	unlock, err := lockFile(file + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	part := filepath.Join(cache, "new-"+filepath.Base(file))
	args := []string{"--variant=minbase", "--mode=root", "--format=tar", "--include=" + strings.Join(rootPackages, ",")}
	for _, hook := range rootHooks {
		args = append(args, "--customize-hook="+hook)
	}
	args = append(args, debianSuite, part)
	if err := command("mmdebstrap", append(args, aptSources()...)...); err != nil {
		return "", errors.Join(err, os.RemoveAll(part))
	}
	return file, os.Rename(part, file)
}
