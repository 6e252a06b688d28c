package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The raw image is laid out as Debian's cloud images are: the first partition is the
// root and lies last, those that firmware needs have the numbers 14 and 15.
const (
	rawImageSize = 1500 << 20
	rawBIOSBoot  = 1 << 20 // where the partitions begin, in bytes
	rawESP       = 4 << 20
	rawRoot      = 68 << 20
	rawRootLabel = "labroot"
	rawTable     = `label: gpt
first-lba: 2048
14 : start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649
15 : start=8192, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
1 : start=139264, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
`
	// Where GRUB's files hold what an installer fills in: grub-core/boot/i386/pc/boot.S, diskboot.S.
	grubCoreSector, grubDriveCheck, grubCoreList, grubCoreSegment = 0x5c, 0x66, 0x1f4, 0x0820
)

// rawGrub is the image's grub.cfg.
const rawGrub = `set timeout=0
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
menuentry lab {
  linux /vmlinuz root=LABEL=` + rawRootLabel + ` ro console=tty0 console=ttyS0
  initrd /initrd.img
}
`

// RawImage returns the path of a disk image of the Debian of DebianRoot, kept below
// cache, that starts in machines of either firmware: with UEFI by the removable path
// alone. root has no password there. Use it through a copy.
func RawImage(cache string) (string, error) {
	system, err := DebianRoot(cache)
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(filepath.Base(system) + rawTable + rawGrub + "1"))
	image := filepath.Join(cache, "raw-"+hex.EncodeToString(key[:6])+".img")
	unlock, err := lockFile(image + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	work, err := os.MkdirTemp("", "slipway-raw-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := rawParts(system, work); err != nil {
		return "", err
	}
	if err := assembleRaw(work, image+".new"); err != nil {
		return "", errors.Join(err, os.RemoveAll(image+".new"))
	}
	return image, os.Rename(image+".new", image)
}

// rawParts makes the image's file systems and boot loaders in the folder work.
func rawParts(system, work string) error {
	root := filepath.Join(work, "root")
	at := func(name string) string { return filepath.Join(work, name) }
	if err := errors.Join(os.Mkdir(root, 0o755), command("tar", "--zstd", "-xpf", system, "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*")); err != nil {
		return err
	}
	start := "search.fs_label " + rawRootLabel + " root\nset prefix=($root)/boot/grub\n"
	if err := errors.Join(
		os.MkdirAll(filepath.Join(root, "boot", "grub"), 0o755),
		os.WriteFile(filepath.Join(root, "boot", "grub", "grub.cfg"), []byte(rawGrub), 0o644),
		os.WriteFile(filepath.Join(root, "etc", "fstab"), []byte("LABEL="+rawRootLabel+" / ext4 errors=remount-ro 0 1\n"), 0o644),
		os.WriteFile(filepath.Join(root, "etc", "hostname"), []byte("raw-image\n"), 0o644),
		os.WriteFile(at("start.cfg"), []byte(start), 0o644),
		command("sed", "-i", "s/^root:[^:]*:/root::/", filepath.Join(root, "etc", "shadow"))); err != nil {
		return err
	}
	grub := func(format, out string, modules ...string) error {
		return command("grub-mkimage", append([]string{"-d", filepath.Join(root, "usr", "lib", "grub", format), "-O", format, "-c", at("start.cfg"), "-p", "/boot/grub",
			"-o", at(out), "part_gpt", "ext2", "search", "search_label", "linux", "normal", "configfile", "serial", "terminal", "echo", "test"}, modules...)...)
	}
	esp := at("esp")
	for _, step := range []func() error{
		func() error { return grub("x86_64-efi", "grubx64.efi", "fat") },
		func() error { return grub("i386-pc", "core.img", "biosdisk") },
		func() error {
			return command("cp", filepath.Join(root, "usr", "lib", "grub", "i386-pc", "boot.img"), at("boot.img"))
		},
		func() error { return command("truncate", "-s", fmt.Sprint(rawRoot-rawESP), esp) },
		func() error { return command("mformat", "-F", "-i", esp, "::") },
		func() error { return command("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT") },
		func() error { return command("mcopy", "-i", esp, at("grubx64.efi"), "::/EFI/BOOT/BOOTX64.EFI") },
		func() error {
			size := fmt.Sprintf("%dk", (rawImageSize-rawRoot-(1<<20))>>10) // the table's copy is behind it
			return command("mke2fs", "-q", "-F", "-t", "ext4", "-L", rawRootLabel, "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", root, at("root.ext4"), size)
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// assembleRaw puts the table and the parts in work together.
func assembleRaw(work, image string) error {
	table := filepath.Join(work, "table")
	if err := errors.Join(os.WriteFile(table, []byte(rawTable), 0o644), os.WriteFile(image, nil, 0o644), os.Truncate(image, rawImageSize)); err != nil {
		return err
	}
	if err := command("sh", "-c", `sfdisk -q "$1" <"$2"`, "sh", image, table); err != nil {
		return err
	}
	for name, start := range map[string]int64{"esp": rawESP, "root.ext4": rawRoot} {
		if err := command("dd", "if="+filepath.Join(work, name), "of="+image, "bs=1M", "conv=notrunc,sparse", "seek="+fmt.Sprint(start>>20), "status=none"); err != nil {
			return err
		}
	}
	boot, err := os.ReadFile(filepath.Join(work, "boot.img"))
	if err != nil {
		return err
	}
	core, err := os.ReadFile(filepath.Join(work, "core.img"))
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(boot[grubCoreSector:], rawBIOSBoot/512)
	boot[grubDriveCheck], boot[grubDriveCheck+1] = 0x90, 0x90
	binary.LittleEndian.PutUint64(core[grubCoreList:], rawBIOSBoot/512+1)
	binary.LittleEndian.PutUint16(core[grubCoreList+8:], uint16((len(core)+511)/512-1))
	binary.LittleEndian.PutUint16(core[grubCoreList+10:], grubCoreSegment)
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, first := f.WriteAt(boot[:440], 0) // the table's part of the sector stays
	_, second := f.WriteAt(core, rawBIOSBoot)
	return errors.Join(first, second, f.Close())
}
