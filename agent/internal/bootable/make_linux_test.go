package bootable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
)

// debian is a system with a kernel and GRUB's files, as far as GRUB's own tool on
// this machine (packages grub-common, grub-pc-bin, grub-efi-amd64-bin) has to see them.
func debian(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"boot/vmlinuz-6.1": "kernel", "boot/initrd.img-6.1": "", "boot/efi/": "", "usr/bin/grub-mkimage": "", "etc/os-release": "ID=debian\nNAME=\"Debian GNU/Linux\"\n"}
	for _, name := range []string{"i386-pc/normal.mod", "i386-pc/ext2.mod", "i386-pc/biosdisk.mod", "i386-pc/search_fs_uuid.mod", "i386-pc/part_gpt.mod", "i386-pc/boot.img",
		"x86_64-efi/normal.mod", "x86_64-efi/ext2.mod", "x86_64-efi/search_fs_uuid.mod", "x86_64-efi/moddep.lst"} {
		text, err := os.ReadFile("/usr/lib/grub/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files["usr/lib/grub/"+name] = string(text)
	}
	return files
}

type maker struct {
	t      *testing.T
	target Target
	disks  *disktest.Disks
	log    []string
}

func newMaker(t *testing.T, l disk.Layout, files map[string]string) *maker {
	dir, _ := tree(t, files)
	m := &maker{t: t, disks: disktest.New(t, disk.Disk{ID: "d", Path: "/dev/d", Size: 1 << 30})}
	m.disks.Root = dir
	efi := t.TempDir()
	m.target = Target{Root: dir, Layout: l, Disks: m.disks, Timeout: 3, Options: "quiet", EFIVariables: efi, Run: m.run,
		Log: func(level, text string) { m.log = append(m.log, level+" "+text) }}
	if _, err := m.disks.Mount(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	return m
}

// run runs this machine's grub-mkimage on the files of the system.
func (m *maker) run(ctx context.Context, args ...string) error {
	args = append([]string{}, args...)
	for i, a := range args {
		if i > 0 && (args[i-1] == "-c" || args[i-1] == "-o") {
			args[i] = filepath.Join(m.target.Root, a)
		}
	}
	if args[0] != "/usr/bin/grub-mkimage" {
		m.t.Errorf("an unexpected program: %q", args)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		m.t.Errorf("%q: %v: %s", args, err, out)
	}
	return err
}

func (m *maker) file(name string) string {
	text, err := os.ReadFile(filepath.Join(m.target.Root, name))
	if err != nil {
		m.t.Error(err)
	}
	return string(text)
}

func TestBothFirmwares(t *testing.T) {
	m := newMaker(t, layout(disk.UEFI), debian(t))
	for range 2 { // a second time changes nothing
		if err := Make(t.Context(), m.target); err != nil {
			t.Fatal(err)
		}
		if _, err := m.disks.Mount(t.Context(), m.target.Layout); err != nil {
			t.Fatal(err)
		}
	}
	image := m.file("boot/efi/EFI/BOOT/BOOTX64.EFI")
	if !strings.HasPrefix(image, "MZ") || image != m.file("boot/efi/EFI/debian/grubx64.efi") || !strings.Contains(image, "search.fs_uuid "+rootUUID) {
		t.Errorf("no EFI program that finds the root: %d bytes", len(image))
	}
	if m.file("boot/grub/x86_64-efi/moddep.lst") == "" || !strings.Contains(m.file("boot/grub/grub.cfg"), "/boot/vmlinuz-6.1 root=UUID="+rootUUID) {
		t.Error("GRUB's modules or its configuration are missing")
	}
	if !strings.Contains(m.file("etc/fstab"), rootUUID) || !strings.Contains(m.file("etc/default/grub"), `"console=tty0 console=ttyS0 quiet"`) {
		t.Error("fstab or /etc/default/grub is missing")
	}
	variables, err := readVariables(m.target.EFIVariables)
	if err != nil || len(variables) != 2 || !bytes.Equal(variables["BootOrder"], []byte{0, 0}) {
		t.Errorf("firmware variables: %v, %v", variables, err)
	}
	if text, err := os.ReadFile(m.target.EFIVariables + "/Boot0000" + globalVariable); err != nil || binary.LittleEndian.Uint32(text) != 7 {
		t.Errorf("the entry's attributes: %v", err)
	}
	if err := m.disks.Unmount(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := m.disks.Open(t.Context(), "d", disk.OpenOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sector, core := make([]byte, 512), make([]byte, 512)
	_, err1 := d.ReadAt(sector, 0)
	_, err2 := d.ReadAt(core, 1<<20)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if binary.LittleEndian.Uint64(sector[0x5c:]) != 2048 || sector[510] != 0x55 || binary.LittleEndian.Uint64(core[0x1f4:]) != 2049 || core[0] != 0x52 {
		t.Errorf("boot sector % x, core % x", sector[0x5c:0x68], core[0x1f0:])
	}
}

func TestTheTableStaysWhenTheBootSectorIsWritten(t *testing.T) {
	first := bytes.Repeat([]byte{0xee}, 512)
	out, err := patchBoot(first, make([]byte, 512), 2048)
	if err != nil || !bytes.Equal(out[440:510], first[440:510]) || bytes.Contains(out[:440], []byte{0xee}) {
		t.Errorf("%v, % x", err, out[430:])
	}
}

func TestWhatCannotBoot(t *testing.T) {
	noESP := layout(disk.UEFI)
	noESP.Partitions = noESP.Partitions[2:]
	for name, tt := range map[string]struct {
		l      disk.Layout
		remove string // of the files, by prefix
		want   string
	}{
		"no kernel":    {layout(disk.UEFI), "boot/vmlinuz", "linux-image-amd64"},
		"no UEFI GRUB": {layout(disk.UEFI), "usr/lib/grub/x86_64-efi", "grub-efi-amd64-bin"},
		"no BIOS GRUB": {layout(disk.BIOS), "usr/lib/grub/i386-pc", "grub-pc-bin"},
		"no tool":      {layout(disk.BIOS), "usr/bin/grub", "grub2-tools"},
		"no ESP":       {noESP, "none", "EFI system partition"},
		"no firmware":  {layout(""), "none", "firmware"},
	} {
		t.Run(name, func(t *testing.T) {
			files := debian(t)
			for f := range files {
				if strings.HasPrefix(f, tt.remove) {
					delete(files, f)
				}
			}
			m := newMaker(t, tt.l, files)
			if err := Make(t.Context(), m.target); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(m.target.Root + "/boot/grub/grub.cfg"); err == nil {
				t.Error("something was written before it was refused")
			}
		})
	}
}

func TestWithoutFirmwareVariablesTheRemovablePathIsEnough(t *testing.T) {
	m := newMaker(t, layout(disk.UEFI), debian(t))
	m.target.EFIVariables = filepath.Join(t.TempDir(), "none")
	if err := Make(t.Context(), m.target); err != nil {
		t.Fatal(err)
	}
	if log := strings.Join(m.log, "\n"); !strings.Contains(log, "warn the firmware got no boot entry") {
		t.Error(log)
	}
}

func TestBindIsUndone(t *testing.T) {
	dir, _ := tree(t, map[string]string{"dev/": ""})
	undo, err := Bind(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/proc/self"); err != nil {
		t.Error(err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("still mounted, %v", err)
	}
	outside := t.TempDir()
	if err := errors.Join(os.Remove(dir+"/sys"), os.Symlink(outside, dir+"/sys")); err != nil {
		t.Fatal(err)
	}
	if _, err := Bind(dir); err == nil {
		t.Error("a mount was led out of the system")
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("still mounted after a failure, %v", err)
	}
}

func TestPartitionsOfTheMachine(t *testing.T) {
	disks := disktest.New(t, disk.Disk{ID: "d", Size: 4 << 30}, disk.Disk{ID: "empty", Size: 4 << 30})
	disks.SetLayout("d", layout(disk.UEFI))
	option, err := loadOption(layout(disk.UEFI), "Debian", "x")
	if err != nil {
		t.Fatal(err)
	}
	if present := partitions(t.Context(), disks); !present(option.GUID) || present([16]byte{1}) {
		t.Error("a partition that is there is not known, or one that is not there is")
	}
	disks.Fail = func(what, _ string) error { return errors.New("the disk is broken") }
	if present := partitions(t.Context(), disks); !present([16]byte{1}) {
		t.Error("a partition counts as gone though the disks cannot be read")
	}
}
