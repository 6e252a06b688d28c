package bootable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/durable"
)

// Target is a system on the target disk.
type Target struct {
	Root    string // where it is mounted
	Layout  disk.Layout
	Disks   disk.Disks
	Options string // for the kernel, beside root and consoles
	Timeout int    // seconds that GRUB's menu waits
	// Run runs a program of the system, in it.
	Run          func(ctx context.Context, args ...string) error
	Log          func(level, text string)
	EFIVariables string // folder of the firmware's variables
}

// Make makes the system boot from its disk. It may be done again. The disk is not
// mounted afterwards when GRUB was put into a boot sector.
func Make(ctx context.Context, t Target) error {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return fmt.Errorf("open the system: %w", err)
	}
	defer root.Close()
	if err := CheckOptions(t.Options); err != nil {
		return err
	}
	kernels, err := Kernels(root)
	if err != nil {
		return err
	}
	g := findGrub(root, t.Run)
	wanted, err := t.platforms(g)
	if err != nil {
		return err
	}
	if err := t.configure(root, g, kernels); err != nil {
		return err
	}
	var core, boot []byte
	for _, p := range wanted {
		start, _ := t.Layout.Find(disk.RoleRoot)
		image, err := g.image(ctx, p, startConfig(start, g.folder))
		if err != nil {
			return err
		}
		if err := g.modules(p); err != nil {
			return err
		}
		if p.name == biosPlatform.name {
			if boot, err = root.ReadFile("usr/lib/grub/i386-pc/boot.img"); err != nil {
				return fmt.Errorf("read GRUB's boot sector: %w", err)
			}
			core = image
		} else if err := t.efi(ctx, root, p, image); err != nil {
			return err
		}
	}
	if err := syncAll(root); err != nil {
		return err
	}
	if core == nil {
		return nil
	}
	root.Close() // nothing may hold the file system
	if err := t.Disks.Unmount(ctx); err != nil {
		return fmt.Errorf("unmount the target for the boot loader: %w", err)
	}
	if err := writeBIOS(ctx, t.Disks, t.Layout, boot, core); err != nil {
		return err
	}
	t.Log("info", "boot loader for BIOS written to the disk")
	return nil
}

// platforms are those to install GRUB for: the machine's own, which must be there,
// and the other one where the disk has a place and the system the files for it.
func (t Target) platforms(g grub) ([]platform, error) {
	efi, known := efiPlatforms[runtime.GOARCH]
	_, esp := t.Layout.Find(disk.RoleESP)
	_, biosBoot := t.Layout.Find(disk.RoleBIOSBoot)
	var list []platform
	switch t.Layout.Firmware {
	case disk.UEFI:
		if !known || !esp {
			return nil, errors.New("the disk has no EFI system partition, which this machine boots from: let Format disk make one")
		}
		if !g.has(efi) {
			return nil, fmt.Errorf("%w (UEFI): install GRUB's files when the image is built (%s)", ErrNoLoader, efi.packages)
		}
		list = append(list, efi)
		if biosBoot && g.has(biosPlatform) {
			list = append(list, biosPlatform)
		}
	case disk.BIOS:
		if _, _, err := biosPlace(t.Layout); err != nil {
			return nil, err
		}
		if !g.has(biosPlatform) {
			return nil, fmt.Errorf("%w (BIOS): install GRUB's files when the image is built (%s)", ErrNoLoader, biosPlatform.packages)
		}
		list = append(list, biosPlatform)
		if known && esp && g.has(efi) {
			list = append(list, efi)
		}
	default:
		return nil, fmt.Errorf("the target's layout names no firmware that is known: %q", t.Layout.Firmware)
	}
	return list, nil
}

// configure writes grub.cfg, fstab and, where there is none, /etc/default/grub.
func (t Target) configure(root *os.Root, g grub, kernels []Kernel) error {
	part, ok := t.Layout.Find(disk.RoleRoot)
	if !ok || !safe(part.UUID) {
		return errors.New("the target's layout names no root file system with a UUID")
	}
	_, name := release(root)
	if err := write(root, path.Join(g.folder, "grub.cfg"), []byte(GrubConfig(name, kernels, part, t.Options, t.Timeout)), 0o600); err != nil {
		return err
	}
	before, err := read(root, "etc/fstab")
	if err != nil {
		return err
	}
	if err := write(root, "etc/fstab", []byte(Fstab(t.Layout, before)), 0o644); err != nil {
		return err
	}
	if exists(root, "etc/default/grub") {
		return nil
	}
	return write(root, "etc/default/grub", []byte(defaultGrub(t.Options, t.Timeout)), 0o644)
}

// efi puts GRUB onto the EFI system partition and tells the firmware.
func (t Target) efi(ctx context.Context, root *os.Root, p platform, image []byte) error {
	id, name := release(root)
	for _, file := range []string{path.Join("EFI", id, p.loader), path.Join("EFI/BOOT", p.file)} {
		if err := write(root, path.Join("boot/efi", file), image, 0o700); err != nil {
			return err
		}
	}
	t.Log("info", "boot loader for UEFI written: /boot/efi/EFI/BOOT/"+p.file+" and /boot/efi/EFI/"+id+"/"+p.loader)
	if t.Layout.Firmware != disk.UEFI {
		return nil
	}
	file := strings.ReplaceAll("/"+path.Join("EFI", id, p.loader), "/", `\`)
	option, err := loadOption(t.Layout, name, file)
	if err == nil {
		err = addEntry(ctx, t.EFIVariables, t.Disks, option)
	}
	if err != nil {
		t.Log("warn", fmt.Sprintf("the firmware got no boot entry of its own: %v; it finds the system by the removable path", err))
		return nil
	}
	t.Log("info", fmt.Sprintf("the firmware has the boot entry %q", name))
	return nil
}

// copyFile writes a file that is worth nothing when power is lost: no waiting.
func copyFile(root *os.Root, name string, data []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write /%s: %w", name, err)
	}
	if err := root.WriteFile(name, data, 0o644); err != nil {
		return fmt.Errorf("write /%s: %w", name, err)
	}
	return nil
}

// syncAll waits until all is on the disk.
func syncAll(root *os.Root) error {
	for _, name := range []string{"boot/efi", "."} {
		if err := durable.FileSystem(root.Open(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write the system to the disk: %w", err)
		}
	}
	return nil
}
