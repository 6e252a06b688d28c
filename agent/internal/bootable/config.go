package bootable

import (
	"fmt"
	"strings"

	"slipway/agent/internal/disk"
)

// Consoles are the kernel options that show the boot on screen and serial line.
const Consoles = "console=tty0 console=ttyS0"

// CheckOptions says what is wrong with kernel options that a person wrote: they come
// to stand in a file that GRUB reads as a script.
func CheckOptions(options string) error {
	for _, word := range strings.Fields(options) {
		if !safe(word) {
			return fmt.Errorf("the kernel option %q holds a character that GRUB would not take literally: letters, digits and . _ - + ~ : , = / @ %% can be used", word)
		}
	}
	return nil
}

// GrubConfig is grub.cfg: an entry for each kernel, the first one is started after
// timeout seconds. The serial line is used where there is one.
func GrubConfig(name string, kernels []Kernel, root disk.Partition, options string, timeout int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written when this system was deployed; update-grub writes it anew.
set default=0
set timeout=%d
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
search --no-floppy --fs-uuid --set=root %s
`, timeout, root.UUID)
	for _, k := range kernels {
		from := "UUID=" + root.UUID
		if k.Initrd == "" {
			from = "PARTUUID=" + root.PartUUID // the kernel alone knows no file system UUIDs
		}
		fmt.Fprintf(&b, "menuentry '%s, Linux %s' {\n  linux %s %s\n", name, k.Version, k.File, line("root="+from, "ro", Consoles, options))
		if k.Initrd != "" {
			fmt.Fprintf(&b, "  initrd %s\n", k.Initrd)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func line(parts ...string) string { return strings.Join(strings.Fields(strings.Join(parts, " ")), " ") }

// startConfig is what GRUB's image itself holds: where the rest of GRUB lies.
func startConfig(root disk.Partition, folder string) string {
	return fmt.Sprintf("search.fs_uuid %s root\nset prefix=($root)/%s\n", root.UUID, folder)
}

// defaultGrub is /etc/default/grub, from which update-grub makes grub.cfg.
func defaultGrub(options string, timeout int) string {
	return fmt.Sprintf("GRUB_DEFAULT=0\nGRUB_TIMEOUT=%d\nGRUB_CMDLINE_LINUX=\"%s\"\nGRUB_TERMINAL=\"console serial\"\nGRUB_SERIAL_COMMAND=\"serial --unit=0 --speed=115200\"\n",
		timeout, line(Consoles, options))
}

// Fstab is /etc/fstab for the layout. Of the image's own lines those stay that name
// no disk: what is mounted from the network or from memory.
func Fstab(l disk.Layout, before string) string {
	var b strings.Builder
	b.WriteString("# Written when this system was deployed.\n")
	add := func(role disk.Role, point, kind, options string, check int) {
		if p, ok := l.Find(role); ok && p.UUID != "" {
			fmt.Fprintf(&b, "UUID=%s %s %s %s 0 %d\n", p.UUID, point, kind, options, check)
		}
	}
	root, _ := l.Find(disk.RoleRoot)
	options := "defaults"
	if root.FS == disk.FSExt4 {
		options = "errors=remount-ro"
	}
	add(disk.RoleRoot, "/", root.FS, options, 1)
	add(disk.RoleESP, "/boot/efi", disk.FSVFAT, "umask=0077", 1)
	add(disk.RoleSwap, "none", disk.FSSwap, "sw", 0)
	for text := range strings.Lines(before) {
		f := strings.Fields(text)
		if len(f) >= 3 && !strings.HasPrefix(f[0], "#") && !onDisk(f) {
			b.WriteString(strings.Join(f, " ") + "\n")
		}
	}
	return b.String()
}

// onDisk reports whether a line of fstab is about a disk, or about what we mount.
func onDisk(f []string) bool {
	for _, prefix := range []string{"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID="} {
		if strings.HasPrefix(strings.Trim(f[0], `"`), prefix) {
			return true
		}
	}
	return f[1] == "/" || f[1] == "/boot" || f[1] == "/boot/efi" || f[2] == "swap"
}
