package netboot

import (
	"fmt"
	"net/netip"
	"strings"
)

// GRUB, signed by Debian, reads grub/grub.cfg from the TFTP server that the DHCP
// acknowledgement named. That first file is the same for all: only GRUB can say
// which machine it runs on, so it makes the name of a second file out of its adapter
// and UUID, and in that one the policy's decision stands.
//
// A script of GRUB is quoted as in a shell: between apostrophes nothing has a
// meaning. What holds an apostrophe or a line break is refused (safeArgument), so
// there is nothing to escape.

const (
	grubRoot   = "grub/grub.cfg"
	grubPlatf  = "grub/x86_64-efi/grub.cfg" // asked first
	grubDevice = "grub/device/"             // <mac with colons>_<uuid>/grub.cfg
	grubFile   = "/grub.cfg"
)

// grubAddress and grubMAC are what LoaderAddress and LoaderMAC are to GRUB.
const grubAddress = `"${net_default_ip}"`

// grubEntry is the first file. The loop ends with the firmware: a machine shall not
// ask an appliance for ever that wants no part in it.
func grubEntry(server netip.Addr) string {
	return "smbios --type 1 --get-uuid 8 --set slipway_uuid\n" +
		"set slipway_try=1\n" +
		`while [ "$slipway_try" != 11111 ]; do` + "\n" +
		`  source "(tftp,` + server.String() + `)/` + grubDevice + `${net_default_mac}_${slipway_uuid}` + grubFile + `"` + "\n" +
		"  echo 'Slipway: the appliance at " + server.String() + " gave nothing to boot. Asking again in 5 seconds.'\n" +
		"  sleep 5\n" +
		`  set slipway_try="${slipway_try}1"` + "\n" +
		"done\n" +
		"exit\n"
}

// grubClient reads the name of the second file. Everything in it is a claim.
func grubClient(name string) (Client, bool) {
	name = strings.TrimLeft(name, "/")
	key, ok := strings.CutPrefix(name, grubDevice)
	key, file := strings.CutSuffix(key, grubFile)
	mac, uuid, both := strings.Cut(key, "_")
	if !ok || !file || !both {
		return Client{}, false
	}
	c, ok := clientOfPath(deviceFolder+"/"+strings.ReplaceAll(mac, ":", "")+"_"+strings.ToLower(uuid)+"_"+ArchX64+"/"+shimFile, UEFI)
	if !ok || !strings.EqualFold(c.MAC.String(), mac) {
		return Client{}, false
	}
	c.Loader = true
	return c, true
}

// renderGrub makes the second file for a decision.
func renderGrub(server netip.Addr, c Client, boot Boot) (string, error) {
	switch {
	case boot.Target == TargetDisk:
		return "echo 'Slipway: starting from the local disk.'\nexit\n", nil
	case boot.Target != TargetImage:
		return "", fmt.Errorf("boot target %q: %w", boot.Target, errUnsafe)
	case boot.Kernel == "":
		message := safeText(boot.Message)
		if message == "" {
			message = "the appliance has nothing to boot for this machine yet"
		}
		return "echo 'Slipway: " + message + "'\nsleep 10\nset slipway_try=1\n", nil
	}
	linux, initrd := []string{"linux"}, []string{"initrd"}
	file := func(p string) (string, error) {
		return "'(tftp," + server.String() + ")/" + bootFolder + p + "'", safePath(p)
	}
	kernel, err := file(boot.Kernel)
	if err != nil {
		return "", err
	}
	linux = append(linux, kernel)
	for _, a := range boot.Cmdline {
		quoted, err := grubArgument(a, c)
		if err != nil {
			return "", err
		}
		linux = append(linux, quoted)
	}
	for _, p := range boot.Initrds {
		f, err := file(p)
		if err != nil {
			return "", err
		}
		initrd = append(initrd, f)
	}
	line := strings.Join(linux, " ")
	if len(line) > maxLine {
		return "", fmt.Errorf("kernel command line of %d bytes: %w", len(line), errUnsafe)
	}
	return "set slipway_try=1\nif " + line + "; then\n  if " + strings.Join(initrd, " ") + "; then\n    boot\n  fi\nfi\n" +
		"echo 'Slipway: the boot image could not be loaded.'\nset slipway_try=1111\n", nil
}

// grubArgument quotes one argument; the placeholders of a loader are filled in.
func grubArgument(a string, c Client) (string, error) {
	if err := safeArgument(a); err != nil {
		return "", err
	}
	if plain, ok := strings.CutSuffix(a, LoaderMAC); ok {
		return "'" + plain + strings.ReplaceAll(c.MAC.String(), ":", "-") + "'", nil
	}
	if plain, ok := strings.CutSuffix(a, LoaderAddress); ok {
		return "'" + plain + "'" + grubAddress, nil
	}
	return "'" + a + "'", nil
}
