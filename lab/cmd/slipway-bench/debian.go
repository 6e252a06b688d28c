package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"slipway/lab"
)

// debianQuestion is the title of the installer's first question.
const debianQuestion = "Select a language"

// debianArguments take the installer to the serial line, and are otherwise its own.
const debianArguments = "--- quiet console=tty0 console=ttyS0,115200n8"

// startDebian serves Debian's installer for network boot as its manual says: dnsmasq
// hands out the lease and the files. Its menus, which wait for a person, are left out.
func startDebian(segment *lab.Network, run *lab.Run) error {
	root := run.Path("installer")
	from := filepath.Join(lab.Root(), ".cache", "bench", "debian-installer", "usr/lib/debian-installer/images/12/amd64/text") // lab/bench-peers.sh
	if out, err := exec.Command("cp", "-a", from, root).CombinedOutput(); err != nil {
		return fmt.Errorf("copy Debian's installer (lab/bench-peers.sh fetches it): %w: %s", err, out)
	}
	const files = "debian-installer/amd64/"
	for name, text := range map[string]string{
		files + "pxelinux.cfg/default": "default install\nprompt 0\nlabel install\nkernel " + files + "linux\nappend initrd=" + files + "initrd.gz " + debianArguments + "\n",
		files + "grub/grub.cfg":        "linux /" + files + "linux " + debianArguments + "\ninitrd /" + files + "initrd.gz\nboot\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err := segment.StartDHCP(lab.DHCPOptions{Extra: []string{
		"enable-tftp", "tftp-root=" + root, "tftp-no-fail",
		"dhcp-no-override", // shim looks for GRUB beside the name in the packet's header
		"dhcp-match=set:uefi,option:client-arch,7",
		"dhcp-boot=tag:uefi," + files + "bootnetx64.efi",
		"dhcp-boot=tag:!uefi,pxelinux.0",
	}})
	return err
}
