package bootable

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/windowstarget"
	"slipway/images/windows/bcd"
)

// WindowsTarget is a Windows that was just put onto its volume, for UEFI machines.
type WindowsTarget struct {
	Windows  *os.Root // its volume
	ESP      *os.Root // the EFI system partition
	Recovery *os.Root // the recovery partition; nil: there is none
	Layout   disk.Layout
	Disks    disk.Disks

	Architecture string // of the Windows: x64 or arm64
	Product      string // e.g. Windows 11: the name of the boot entry
	Locale       string // of the boot manager's texts, e.g. de-DE

	Log          func(level, text string)
	EFIVariables string // folder of the firmware's variables
}

// Errors of images whose Windows cannot be made to boot.
var (
	ErrNoBootManager = errors.New(`the image holds no boot manager (\Windows\Boot\EFI\bootmgfw.efi): it is no image of a whole Windows`)
	ErrNeedsUEFI     = errors.New("this boot image makes Windows start on machines with UEFI only: set the machine to UEFI, or deploy it with the Windows PE boot image")
)

// Where Windows keeps what it boots from, and where it goes on the EFI system
// partition: what bcdboot copies.
const (
	windowsBoot     = "Windows/Boot/EFI"
	windowsFonts    = "Windows/Boot/Fonts"
	windowsTexts    = "Windows/Boot/Resources"
	windowsSDI      = "Windows/Boot/DVD/EFI/boot.sdi"
	windowsRecovery = "Windows/System32/Recovery/Winre.wim"
	bootManager     = "bootmgfw.efi"
	espBoot         = "EFI/Microsoft/Boot"
	recoveryFolder  = "Recovery/WindowsRE"
	bootManagerPath = `\EFI\Microsoft\Boot\bootmgfw.efi`
	bootManagerName = "Windows Boot Manager"
)

// removableWindows is the removable path by the architecture of a Windows.
var removableWindows = map[string]string{"x64": "EFI/BOOT/BOOTX64.EFI", "arm64": "EFI/BOOT/BOOTAA64.EFI"}

// MakeWindows makes a Windows boot from its disk: boot manager, fonts and texts out of
// the Windows itself, the boot configuration, the recovery environment, and an entry of
// the firmware. It may be done again. The EFI system partition is on the disk
// afterwards, the recovery partition once it is unmounted.
func MakeWindows(ctx context.Context, t WindowsTarget) error {
	removable, ok := removableWindows[t.Architecture]
	switch {
	case !ok:
		return fmt.Errorf("no UEFI machine starts a Windows for %q", t.Architecture)
	case t.Layout.Firmware != disk.UEFI || t.Layout.Table != disk.GPT:
		return ErrNeedsUEFI
	}
	manager := windowstarget.Spelled(t.Windows, path.Join(windowsBoot, bootManager))
	if !exists(t.Windows, manager) {
		return ErrNoBootManager
	}
	files := 0
	for _, c := range []struct {
		from, to string
		needed   bool
	}{{windowsBoot, espBoot, true}, {windowsFonts, espBoot + "/Fonts", false}, {windowsTexts, espBoot + "/Resources", false}} {
		n, err := copyTree(t.ESP, c.to, t.Windows, windowstarget.Spelled(t.Windows, c.from))
		if err != nil && (c.needed || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("copy the boot files: %w", err)
		}
		files += n
	}
	if err := copyOne(t.ESP, removable, t.Windows, manager); err != nil {
		return fmt.Errorf("copy the boot manager: %w", err)
	}
	t.Log("info", fmt.Sprintf("%d boot files copied to the EFI system partition, the boot manager to %s as well", files, removable))
	recovery, err := t.recovery()
	if err != nil {
		return err
	}
	if err := t.store(recovery); err != nil {
		return err
	}
	if err := syncAll(t.ESP); err != nil {
		return err
	}
	t.announce(ctx)
	return nil
}

// recovery puts Windows' recovery environment onto its partition; it stays in Windows
// too, where Windows itself looks for it when it sets the environment up.
func (t WindowsTarget) recovery() (there bool, err error) {
	image, sdi := windowstarget.Spelled(t.Windows, windowsRecovery), windowstarget.Spelled(t.Windows, windowsSDI)
	switch {
	case t.Recovery == nil:
		t.Log("info", "the disk has no recovery partition")
		return false, nil
	case !exists(t.Windows, image) || !exists(t.Windows, sdi):
		t.Log("info", "the image brings no recovery environment (Winre.wim and boot.sdi): the recovery partition stays empty")
		return false, nil
	}
	err = copyOne(t.Recovery, recoveryFolder+"/Winre.wim", t.Windows, image)
	if err == nil {
		err = copyOne(t.Recovery, recoveryFolder+"/boot.sdi", t.Windows, sdi)
	}
	if err != nil {
		return false, fmt.Errorf("put the recovery environment onto its partition: %w", err)
	}
	t.Log("info", "the recovery environment is on the recovery partition")
	return true, nil
}

// store writes the boot configuration.
func (t WindowsTarget) store(recovery bool) error {
	device := func(role disk.Role) (d bcd.Device, err error) {
		p, ok := t.Layout.Find(role)
		if !ok {
			return d, fmt.Errorf("the target disk has no partition %s", role)
		}
		partition, err := bcd.ParseGUID(p.PartUUID)
		if err != nil {
			return d, fmt.Errorf("the partition %s: %w", role, err)
		}
		table, err := bcd.ParseGUID(t.Layout.TableID)
		if err != nil {
			return d, fmt.Errorf("the target disk's id: %w", err)
		}
		return bcd.GPT(partition, table), nil
	}
	system, err1 := device(disk.RoleESP)
	windows, err2 := device(disk.RoleWindows)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s := bcd.Installed{Firmware: bcd.UEFI, System: system, Windows: windows, Loader: t.guid("loader"), Description: t.Product, Locale: t.Locale,
		Timeout: 30, At: time.Unix(0, 0)}
	if recovery {
		partition, err := device(disk.RoleRecovery)
		if err != nil {
			return err
		}
		folder := `\` + strings.ReplaceAll(recoveryFolder, "/", `\`)
		s.Recovery = &bcd.Recovery{Partition: partition, Loader: t.guid("recovery"), Options: t.guid("recovery options"), WIM: folder + `\Winre.wim`, SDI: folder + `\boot.sdi`}
	}
	content, err := s.Write()
	if err == nil {
		err = write(t.ESP, espBoot+"/BCD", content, 0o700)
	}
	if err != nil {
		return fmt.Errorf("write the boot configuration (BCD): %w", err)
	}
	return nil
}

// guid names an object of the store: the same for the same disk.
func (t WindowsTarget) guid(what string) bcd.GUID {
	sum := sha256.Sum256([]byte("boot configuration/" + t.Layout.TableID + "/" + what))
	g := bcd.GUID(sum[:16])
	g[7], g[8] = g[7]&0x0f|0x40, g[8]&0x3f|0x80 // RFC 9562, version 4
	return g
}

func (t WindowsTarget) announce(ctx context.Context) {
	option, err := loadOption(t.Layout, bootManagerName, bootManagerPath)
	if err == nil {
		err = addEntry(ctx, t.EFIVariables, t.Disks, option)
	}
	if err != nil {
		t.Log("warn", fmt.Sprintf("the firmware got no boot entry of its own: %v; it finds Windows by the removable path", err))
		return
	}
	t.Log("info", fmt.Sprintf("the firmware has the boot entry %q", bootManagerName))
}

// copyTree copies a folder with all that is in it. It returns how many files.
func copyTree(to *os.Root, toDir string, from *os.Root, fromDir string) (files int, err error) {
	list, err := fs.ReadDir(from.FS(), fromDir)
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		source, target := path.Join(fromDir, e.Name()), path.Join(toDir, e.Name())
		switch {
		case e.IsDir():
			n, err := copyTree(to, target, from, source)
			files += n
			if err != nil {
				return files, err
			}
		case e.Type().IsRegular():
			if err := copyOne(to, target, from, source); err != nil {
				return files, err
			}
			files++
		}
	}
	return files, nil
}

// copyOne copies a file. It is not waited for until it is on the disk.
func copyOne(to *os.Root, target string, from *os.Root, source string) error {
	in, err := from.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := to.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	out, err := to.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
