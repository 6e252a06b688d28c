package bootimages

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"slipway/fleet"
)

const exportPxelinux = "default slipway\nprompt 0\nlabel slipway\n  kernel vmlinuz\n  append initrd=initrd.zst " + consoleArguments + "\n  ipappend 2\n"

const exportGrub = `# Paths are those of the TFTP root. Are the files in a folder of it? Then name it:
# set dir=/slipway
set dir=
set timeout=0
menuentry "Slipway" {
  linux $dir/vmlinuz ` + consoleArguments + ` BOOTIF=01-$net_default_mac
  initrd $dir/initrd.zst
}
`

const exportIPXE = "#!ipxe\nkernel vmlinuz initrd=initrd.zst " + consoleArguments + " BOOTIF=01-${netX/mac:hexhyp}\ninitrd initrd.zst\nboot\n"

// readmeText is the page of instructions, filled with the values of this appliance.
// The addresses of the other servers are theirs to fill in: NEXT-SERVER.
func readmeText(image fleet.BootImage, o ExportOptions, files []exportFile) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Slipway boot image for servers that are not the appliance")
	line("==========================================================\n")
	line("Image           %s (%s %s, built %s)", image.ID, image.Kind, image.Architecture, image.BuiltAt.UTC().Format("2006-01-02 15:04 UTC"))
	line("Kernel          %s", image.KernelRelease)
	line("Installation    %s", o.Installation)
	line("Appliance       %s", strings.Join(o.Servers, ", "))
	for _, sum := range image.CASet {
		line("Trusts          CA sha256:%s", sum)
	}
	line("Exported by     Slipway %s\n", o.Version)
	b.WriteString(`Machines that start from these files ask for the passcode as those do that start from
the appliance. They look for the appliance at slipway.server= on the kernel command line
when that is given, then where DHCP says, then at the addresses above; else somebody
types the address at the machine (F6). The port (HTTPS) must be open from them to the
appliance. The files hold no secret.

When the appliance's certificate authority is replaced ("slipway ca status"), export
again and replace all files.

Files
-----
`)
	for _, f := range files {
		line("%-22s %10d bytes  %s", f.name, f.size, f.what)
	}
	line("%-22s %10s        %s", "SHA256SUMS", "", "check with: sha256sum -c SHA256SUMS")
	b.WriteString(`
1. TFTP
-------
Copy the folder's content, with its sub-folders, into the root of the TFTP server.
GRUB looks for grub/grub.cfg in the root. If everything else has to lie in a folder of
the root, keep grub/grub.cfg in the root and name the folder in it ("set dir=").

    machine                boot file name       asks next for
    BIOS                   pxelinux.0           ldlinux.c32, pxelinux.cfg/..., vmlinuz, initrd.zst
    UEFI x64               bootx64.efi          grubx64.efi, grub/grub.cfg, vmlinuz, initrd.zst

Both work with Secure Boot as the firmware has it: bootx64.efi is signed by Microsoft,
grubx64.efi and the kernel by Debian. GRUB loads from the server that DHCP names as the
next server (siaddr): it has to be the TFTP server. NEXT-SERVER below is its address.

2. DHCP: dnsmasq (DHCP and TFTP in one)
---------------------------------------
    enable-tftp
    tftp-root=/srv/tftp
    dhcp-match=set:efi64,option:client-arch,7
    dhcp-match=set:efi64,option:client-arch,9
    dhcp-boot=tag:efi64,bootx64.efi
    dhcp-boot=tag:!efi64,pxelinux.0

With TFTP on another machine: dhcp-boot=tag:efi64,bootx64.efi,,NEXT-SERVER (and the
same for pxelinux.0).

3. DHCP: ISC dhcpd
------------------
    option arch code 93 = unsigned integer 16;
    next-server NEXT-SERVER;
    if option arch = 00:07 or option arch = 00:09 {
      filename "bootx64.efi";
    } else {
      filename "pxelinux.0";
    }

4. DHCP: Kea (in "Dhcp4")
-------------------------
    "client-classes": [
      { "name": "uefi-x64", "test": "option[93].hex == 0x0007 or option[93].hex == 0x0009",
        "next-server": "NEXT-SERVER", "boot-file-name": "bootx64.efi" },
      { "name": "bios", "test": "option[93].hex == 0x0000",
        "next-server": "NEXT-SERVER", "boot-file-name": "pxelinux.0" }
    ]

5. Windows DHCP with a TFTP server
----------------------------------
Scope options 066 (boot server host name): NEXT-SERVER, 067 (boot file name):
bootx64.efi. For BIOS machines make a policy on vendor class PXEClient:Arch:00000*
whose option 067 is pxelinux.0. Do not set option 060 unless the DHCP server is the
TFTP server.

6. Windows Deployment Services
------------------------------
WDS serves files of its folder RemoteInstall\Boot\x64 (and x64uefi) over TFTP. From an
administrator's prompt on the WDS server, with the files in RemoteInstall\Boot\x64\slipway,
grub\grub.cfg in RemoteInstall\grub and "set dir=/Boot/x64/slipway" in it:

    reg add HKLM\SYSTEM\CurrentControlSet\Services\WDSServer\Providers\WDSTFTP /v ReadFilter /t REG_MULTI_SZ ^
        /d "\boot\*\0\tmp\*\0boot\*\0tmp\*\0\grub\*\0/boot/*\0/grub/*\0/Boot/*" /f
    wdsutil /set-server /bootprogram:boot\x64\slipway\pxelinux.0 /architecture:x64
    wdsutil /set-server /N12bootprogram:boot\x64\slipway\pxelinux.0 /architecture:x64
    wdsutil /set-server /bootprogram:boot\x64\slipway\bootx64.efi /architecture:x64uefi
    wdsutil /set-server /N12bootprogram:boot\x64\slipway\bootx64.efi /architecture:x64uefi
    net stop WDSServer & net start WDSServer

Note the old values first (wdsutil /get-server /show:config) to be able to go back.
This section follows the vendor's documentation and was not run.

7. iPXE, and HTTP
-----------------
Where machines run iPXE (in their ROM, or loaded as undionly.kpxe or snponly.efi), let
DHCP hand boot.ipxe to clients with user class "iPXE"; it loads the files from beside
itself, by TFTP or by HTTP. HTTP is several times faster. snponly.efi is not signed:
Secure Boot refuses it.

UEFI HTTP Boot: put the files on an HTTP server and set, for vendor class HTTPClient,
option 060 to HTTPClient and option 067 to http://NEXT-SERVER/` + OneFile + ` (when that file is
here; with Secure Boot its signature must be by a key that the firmware trusts).
`)
	b.WriteString(serverHint(o.Servers))
	return b.Bytes()
}

// serverHint says how to name another address without exporting again.
func serverHint(servers []string) string {
	at := "192.0.2.10:8443"
	if len(servers) > 0 {
		if _, err := netip.ParseAddrPort(servers[0]); err == nil {
			at = servers[0]
		}
	}
	return "\nAnother address for the appliance, without a new export: add slipway.server=" + at + "\nwith that address to the kernel lines of grub/grub.cfg, pxelinux.cfg/default and boot.ipxe.\n"
}
