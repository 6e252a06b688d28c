package netboot

import (
	"path"
	"strings"
)

// Signed releases of iPXE bring a shim of their own, signed by Microsoft. They lie
// as their archive ipxeboot.tar.gz unpacks, and are served unmodified:
//
//	ipxeboot/x86_64-sb/   shimx64.efi  ipxe.efi  snponly.efi  ipxe-shim.efi  snponly-shim.efi
//	ipxeboot/arm64-sb/    shimaa64.efi ...
//
// iPXE's shim starts the program whose name is its own without "-shim", else
// ipxe.efi beside it. iPXE then asks for autoexec.ipxe there, and in the root.

const (
	signedFolder = "ipxeboot"
	autoexecFile = "autoexec.ipxe"
)

// SignedFolder is the folder, in the appliance's data folder, of signed iPXE.
const SignedFolder = signedFolder

// signedArch is the folder of an architecture, "" when there are no releases for it.
func signedArch(arch string) (folder, shim string) {
	switch arch {
	case ArchX64:
		return signedFolder + "/x86_64-sb/", "shimx64.efi"
	case ArchARM64:
		return signedFolder + "/arm64-sb/", "shimaa64.efi"
	}
	return "", ""
}

// SignedChoices lists what a machine of an architecture may be given first, best
// first, each with the program that its shim starts.
func SignedChoices(arch string) [][2]string {
	folder, shim := signedArch(arch)
	if folder == "" {
		return nil
	}
	return [][2]string{
		{folder + "snponly-shim.efi", folder + "snponly.efi"},
		{folder + "ipxe-shim.efi", folder + "ipxe.efi"},
		{folder + shim, folder + "ipxe.efi"},
	}
}

// signedProgram is the first choice that is whole.
func (p *proxy) signedProgram(arch string) (string, error) {
	for _, c := range SignedChoices(arch) {
		whole := true
		for _, name := range c {
			found, err := p.find([]string{name})
			if err != nil {
				return "", err
			}
			whole = whole && found != ""
		}
		if whole {
			return c[0], nil
		}
	}
	return "", nil
}

// warnSigned says what is missing.
func (p *proxy) warnSigned(c Client) {
	if p.warned.due("signed "+c.Arch, p.cfg.Now()) {
		p.cfg.Logger.Warn("no signed iPXE for this machine: it is given the unsigned one, which firmware with Secure Boot refuses; unpack a release's ipxeboot.tar.gz in the data folder",
			"mac", c.MAC.String(), "arch", c.Arch, "wanted", SignedChoices(c.Arch))
	}
}

// signedAutoexec reports a name under which signed iPXE asks for its script.
func signedAutoexec(name string) bool {
	dir, file := path.Split(strings.ToLower(name))
	return file == autoexecFile && (dir == "" || dir == signedFolder+"/x86_64-sb/" || dir == signedFolder+"/arm64-sb/")
}
