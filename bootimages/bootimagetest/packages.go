// Package bootimagetest makes small Debian packages, kernel modules and programs
// for tests: an image builds from them in milliseconds, without a package source.
package bootimagetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// Release is the kernel release of the packages that WritePackages makes.
const Release = "6.9.0-1-amd64"

// File is one file of a package.
type File struct {
	Name    string // as in the archive: ./bin/busybox
	Content string
	Link    string // target of a symbolic link instead of content
}

// Deb makes a package with these control fields and files, its archives
// compressed by xz as Debian's are.
func Deb(control string, files ...File) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	member(&b, "debian-binary", []byte("2.0\n"))
	member(&b, "control.tar.xz", archive(File{Name: "./control", Content: control}))
	member(&b, "data.tar.xz", archive(files...))
	return b.Bytes()
}

func member(b *bytes.Buffer, name string, content []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(content))
	b.Write(content)
	if len(content)%2 == 1 {
		b.WriteByte('\n')
	}
}

func archive(files ...File) []byte {
	var b bytes.Buffer
	z, err := xz.NewWriter(&b)
	must(err)
	t := tar.NewWriter(z)
	must(t.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}))
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.Content)), ModTime: time.Unix(1e9, 0)}
		if f.Link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
		}
		must(t.WriteHeader(h))
		_, err := io.WriteString(t, f.Content)
		must(err)
	}
	must(t.Close())
	must(z.Close())
	return b.Bytes()
}

// must is for writers into memory, which cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Control writes the control fields of a package.
func Control(name, version, arch, depends string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nDepends: %s\nDescription: test\n more\n", name, version, arch, depends)
}

// Kernel is the package of a small kernel: a few real module names with
// dependencies among them.
func Kernel(version string) []byte { return KernelFile(version, "kernel "+version) }

// KernelFile is that package with a kernel of one's own.
func KernelFile(version, vmlinuz string) []byte {
	module := func(path, modinfo string) File {
		return File{Name: "./lib/modules/" + Release + "/kernel/" + path, Content: string(Module(modinfo))}
	}
	return Deb(Control("linux-image-"+Release, version, "amd64", "kmod"),
		File{Name: "./boot/vmlinuz-" + Release, Content: vmlinuz},
		File{Name: "./lib/modules/" + Release + "/modules.builtin", Content: "kernel/fs/nls/nls_utf8.ko\n"},
		module("drivers/net/virtio_net.ko", "alias=virtio:d00000001v*\x00depends=net_failover,virtio\x00"),
		module("drivers/net/net_failover.ko", "depends=failover\x00"),
		module("net/core/failover.ko", "depends=\x00"),
		module("drivers/virtio/virtio.ko", "depends=\x00"),
		module("drivers/virtio/virtio_pci.ko", "alias=pci:v00001AF4d*sv*sd*bc*sc*i*\x00depends=virtio\x00"),
		module("drivers/net/ethernet/realtek/r8169.ko", "firmware=rtl_nic/rtl8168h-2.fw\x00alias=pci:v000010ECd00008168sv*sd*bc*sc*i*\x00softdep=pre: realtek\x00depends=\x00"),
		module("drivers/net/phy/realtek.ko", "depends=\x00"),
		module("fs/ext4/ext4.ko", "softdep=pre: crypto-crc32c\x00depends=\x00"),
		module("crypto/crc32c_generic.ko", "alias=crypto-crc32c\x00depends=\x00"),
		module("sound/soundcore.ko", "depends=\x00"),
	)
}

// isohybrid, at byte 64, tells xorriso that a boot program starts from a stick too.
const isohybrid = "\xfb\xc0\x78\x70"

// WritePackages fills a folder with all packages an image, the loaders and media
// need.
func WritePackages(dir, kernelVersion string) error {
	for name, content := range map[string][]byte{
		"kernel.deb": Kernel(kernelVersion),
		"busybox.deb": Deb(Control("busybox-static", "1:1.35", "amd64", ""),
			File{Name: "./bin/busybox", Content: "busybox"}),
		"systemd-boot-efi.deb": Deb(Control("systemd-boot-efi", "252", "amd64", ""),
			File{Name: "./usr/lib/systemd/boot/efi/linuxx64.efi.stub", Content: string(UEFIProgram("stub"))}),
		"ipxe.deb": Deb(Control("ipxe", "1.0", "all", ""),
			File{Name: "./usr/lib/ipxe/undionly.kpxe", Content: "undionly"},
			File{Name: "./usr/lib/ipxe/snponly.efi", Content: "snponly"},
			File{Name: "./usr/lib/ipxe/ipxe.efi", Link: "/boot/ipxe.efi"},
			File{Name: "./boot/ipxe.efi", Content: "ipxe efi"},
			File{Name: "./boot/ipxe.lkrn", Content: "ipxe lkrn"}),
		"isolinux.deb": Deb(Control("isolinux", "6", "all", ""),
			File{Name: "./usr/lib/ISOLINUX/isolinux.bin", Content: strings.Repeat("isolinux", 8) + isohybrid + strings.Repeat("isolinux", 512)},
			File{Name: "./usr/lib/ISOLINUX/isohdpfx.bin", Content: strings.Repeat("mbr.", 108)}),
		"syslinux.deb": Deb(Control("syslinux-common", "6", "all", ""), File{Name: "./usr/lib/syslinux/modules/bios/ldlinux.c32", Content: "ldlinux"}),
		"pxelinux.deb": Deb(Control("pxelinux", "6", "all", ""), File{Name: "./usr/lib/PXELINUX/pxelinux.0", Content: "pxelinux"}),
		"shim.deb":     Deb(Control("shim-signed", "1", "amd64", ""), File{Name: "./usr/lib/shim/shimx64.efi.signed", Content: "shim"}),
		"grub.deb": Deb(Control("grub-efi-amd64-signed", "2", "amd64", ""),
			File{Name: "./usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", Content: "grub for discs"},
			File{Name: "./usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", Content: "grub for networks"}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
