package bootimages

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"slipway/fleet"
)

// winPEExportFiles are the files of a Windows PE image for servers that are not the
// appliance, under the names that Microsoft's boot manager asks for. Both firmwares ask
// for the same names and need other content: what is for BIOS lies in a folder that is
// the root of a TFTP server of its own.
func (b *Builder) winPEExportFiles(image fleet.BootImage) (files []exportFile, err error) {
	if _, err := Verify(filepath.Join(b.BootDir(), image.ID)); err != nil {
		return nil, fmt.Errorf("%w: image %s: build it again: %w", ErrCorrupt, image.ID, err)
	}
	have := map[string]bool{}
	for _, f := range image.Files {
		have[f.Name] = true
	}
	bios := have[BIOSLoader] && have[BIOSManager]
	add := func(what, name, file string) {
		if have[file] {
			files = append(files, exportFile{name: name, what: what, from: []string{filepath.Join(b.BootDir(), image.ID, file)}})
		}
	}
	folder := "Boot/" + image.ID + "/"
	add("for UEFI: Microsoft's boot manager", BootManager, BootManager)
	add("for UEFI: what it boots, by TFTP", "Boot/BCD", BootStore)
	add("the RAM disk's frame", folder+BootSDI, BootSDI)
	add("Windows PE with the agent", folder+BootWIM, BootWIM)
	add("what wimboot boots", folder+MediaStore, MediaStore)
	for _, f := range image.Files {
		if strings.HasSuffix(f.Name, ".ttf") {
			add("a font of the boot manager", "Boot/Fonts/"+f.Name, f.Name)
			if bios {
				add("a font of the boot manager", "bios/Boot/Fonts/"+f.Name, f.Name)
			}
		}
	}
	if bios {
		add("for BIOS: loads bootmgr.exe", "bios/"+BIOSLoader, BIOSLoader)
		add("for BIOS: Microsoft's boot manager", "bios/"+BIOSManager, BIOSManager)
		add("for BIOS: what it boots, by TFTP", "bios/Boot/BCD", BIOSStore)
	}
	return append(files, exportFile{name: "boot.ipxe", what: "the script for iPXE; wimboot has to be put beside it", content: []byte(winPEExportIPXE(folder, bios))}), nil
}

// winPEExportIPXE starts wimboot, with paths relative to the script.
func winPEExportIPXE(folder string, bios bool) string {
	var s strings.Builder
	s.WriteString("#!ipxe\nkernel wimboot || goto failed\niseq ${platform} efi || goto bios\n")
	s.WriteString("initrd --name bootmgfw.efi bootmgfw.efi bootmgfw.efi || goto failed\ngoto files\n:bios\n")
	if bios {
		s.WriteString("initrd --name bootmgr.exe bios/bootmgr.exe bootmgr.exe || goto failed\n:files\n")
	} else {
		s.WriteString("echo This Windows PE image has no boot manager for BIOS machines.\ngoto failed\n:files\n")
	}
	for _, f := range [][2]string{{"BCD", MediaStore}, {BootSDI, BootSDI}, {BootWIM, BootWIM}} {
		s.WriteString("initrd --name " + f[0] + " " + folder + f[1] + " " + f[0] + " || goto failed\n")
	}
	s.WriteString("boot || goto failed\n:failed\necho Windows PE was not started. The next boot device follows.\nsleep 20\nexit 1\n")
	return s.String()
}

// winPEReadme is the page of instructions, filled with the values of this appliance.
// The addresses of the other servers are theirs to fill in: NEXT-SERVER.
func winPEReadme(image fleet.BootImage, o ExportOptions, files []exportFile) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Slipway Windows PE image for servers that are not the appliance")
	line("================================================================\n")
	line("Image           %s (%s %s, built %s)", image.ID, image.Kind, image.Architecture, image.BuiltAt.UTC().Format("2006-01-02 15:04 UTC"))
	line("Windows         %s", image.KernelRelease)
	line("Installation    %s", o.Installation)
	line("Appliance       %s", strings.Join(insideServers(image), ", "))
	for _, sum := range image.CASet {
		line("Trusts          CA sha256:%s", sum)
	}
	line("Exported by     Slipway %s\n", o.Version)
	b.WriteString(`Machines that start from these files sign in at the appliance as those do that start from
it. Its addresses are inside boot.wim; a new one takes a new build (slipway image build
winpe --server ADDRESS) and a new export. The port (HTTPS) must be open from the machines
to the appliance. The files hold no secret. Those of Microsoft come from your own source:
its licence says where you may put them.

When the appliance's certificate authority is replaced ("slipway ca status"), build and
export again, and replace all files.

Files
-----
`)
	for _, f := range files {
		line("%-52s %12d bytes  %s", f.name, f.size, f.what)
	}
	line("%-52s %12s        %s", "SHA256SUMS", "", "check with: sha256sum -c SHA256SUMS")
	arch := map[string][2]string{X64: {"7", "00:07"}, ARM64: {"11", "00:0b"}}[image.Architecture]
	b.WriteString(strings.NewReplacer("{ARCH}", arch[0], "{HEX}", arch[1], "{ID}", image.ID).Replace(winPEInstructions))
	return b.Bytes()
}

const winPEInstructions = `
1. TFTP, UEFI
-------------
Copy the folder's content, with its sub-folders, into the root of the TFTP server. The
names are those that the boot manager and its BCD use, and must stay:

    bootmgfw.efi  asks for  \Boot\BCD, \Boot\Fonts\..., \Boot\{ID}\boot.sdi, boot.wim

The server has to take \ for /. dnsmasq does; tftpd-hpa needs a map file (-m) with the
line "rg \\ /". Windows' own servers do. Where the server tells upper from lower case, add
links for what its log shows as not found. A server with large blocks and with windows
(RFC 7440) loads boot.wim several times faster. Secure Boot may stay on: bootmgfw.efi is
signed by Microsoft.

2. TFTP, BIOS
-------------
BIOS machines ask for \Boot\BCD too, and need another one. So the folder bios is the root
of a second TFTP server (another address), and the large files have to be in it too:

    cp -al Boot/{ID} bios/Boot/          (links; or copy them)

    pxeboot.n12   asks for  bootmgr.exe, \Boot\BCD, \Boot\{ID}\boot.sdi, boot.wim

Without the folder bios the image's source had no loader for BIOS.

3. DHCP: dnsmasq (DHCP and TFTP in one)
---------------------------------------
    enable-tftp
    tftp-root=/srv/tftp
    dhcp-match=set:efi,option:client-arch,{ARCH}
    dhcp-match=set:efi,option:client-arch,9
    dhcp-boot=tag:efi,bootmgfw.efi
    dhcp-boot=tag:!efi,pxeboot.n12,,BIOS-SERVER

BIOS-SERVER is the address of the second TFTP server.

4. DHCP: ISC dhcpd
------------------
    option arch code 93 = unsigned integer 16;
    if option arch = {HEX} or option arch = 00:09 {
      next-server NEXT-SERVER;
      filename "bootmgfw.efi";
    } else {
      next-server BIOS-SERVER;
      filename "pxeboot.n12";
    }

5. Windows DHCP with a TFTP server
----------------------------------
Scope options 066 (boot server host name): NEXT-SERVER, 067 (boot file name):
bootmgfw.efi. For BIOS machines make a policy on vendor class PXEClient:Arch:00000*
with their own values. Do not set option 060 unless the DHCP server is the TFTP server.

6. Windows Deployment Services
------------------------------
WDS brings boot manager and BCD itself; it needs boot.wim alone:

    wdsutil /Add-Image /ImageFile:"D:\slipway\Boot\{ID}\boot.wim" /ImageType:Boot /Name:"Slipway"

This section follows the vendor's documentation and was not run.

7. iPXE and wimboot, by HTTP
----------------------------
Put the folder on an HTTP server, the file wimboot of the wimboot project's release beside
boot.ipxe, and let DHCP hand boot.ipxe to clients with user class "iPXE". HTTP is several
times faster than TFTP. iPXE and wimboot are not signed by Microsoft: not with Secure Boot.

8. UEFI HTTP Boot
-----------------
The firmware takes one disk image, which this folder does not hold twice. Make it with

    slipway image media --kind usb --image {ID} winpe.img

put it on the HTTP server (content type application/vnd.efi-img) and set, for vendor class
HTTPClient, option 060 to HTTPClient and option 067 to http://NEXT-SERVER/winpe.img.
`
