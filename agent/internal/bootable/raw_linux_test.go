package bootable

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/agent/internal/fat/fattest"
)

// rawDisk is a disk that holds a FAT file system in the place of its ESP.
func rawDisk(t *testing.T, l disk.Layout, esp []byte) *disktest.Disks {
	t.Helper()
	disks := disktest.New(t, disk.Disk{ID: "d", Path: "/dev/d", Size: 1 << 30})
	p, _ := l.Find(disk.RoleESP)
	d, err := disks.OpenPartition(t.Context(), l, p.Number, disk.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.WriteAt(esp, 0)
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	return disks
}

func TestAnImagesLoaderIsAnnounced(t *testing.T) {
	l := layout(disk.UEFI)
	disks := rawDisk(t, l, fattest.Image(t, 2048, 12, "efi/boot/bootx64.efi"))
	target := RawTarget{Layout: l, Disks: disks, Name: "IGEL OS" + strings.Repeat("x", 100), EFIVariables: t.TempDir()}
	for range 2 { // a second time changes nothing
		text, warn := Announce(t.Context(), target)
		if warn || !strings.Contains(text, `\EFI\BOOT\BOOTX64.EFI of partition 2`) {
			t.Errorf("%v, %q", warn, text)
		}
	}
	variables, err := readVariables(target.EFIVariables)
	if err != nil || len(variables) != 2 || !bytes.Equal(variables["BootOrder"], []byte{0, 0}) {
		t.Fatalf("%v, %v", variables, err)
	}
	want, _ := parseGUID(espGUID)
	o, err := parseLoadOption(variables["Boot0000"])
	if err != nil || o.Path != `\EFI\BOOT\BOOTX64.EFI` || o.GUID != want || o.Partition != 2 || o.Start != 2<<20/512 || len(o.Description) != longestName {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestWhereNoEntryIsMade(t *testing.T) {
	mbr, none, bios := layout(disk.UEFI), layout(disk.UEFI), layout(disk.BIOS)
	mbr.Table = disk.MBR
	none.Partitions = none.Partitions[2:]
	good := fattest.Image(t, 2048, 12, "efi/boot/bootx64.efi")
	for name, tt := range map[string]struct {
		l         disk.Layout
		esp       []byte
		variables string
		want      string
		warn      bool
	}{
		"BIOS":                      {bios, good, t.TempDir(), "", false},
		"MBR":                       {mbr, good, t.TempDir(), `removable path \EFI\BOOT\BOOTX64.EFI; a boot entry would need a GPT`, false},
		"another loader":            {layout(disk.UEFI), fattest.Image(t, 2048, 12, "efi/boot/bootia32.efi"), t.TempDir(), "partition 2: the file is not there), and this machine boots by UEFI: it may not start", true},
		"no file system":            {layout(disk.UEFI), make([]byte, 512), t.TempDir(), "no FAT file system", true},
		"no ESP":                    {none, good, t.TempDir(), "it has no EFI system partition", true},
		"the firmware has no place": {layout(disk.UEFI), good, filepath.Join(t.TempDir(), "missing"), "the firmware finds the system by the removable path", true},
	} {
		t.Run(name, func(t *testing.T) {
			text, warn := Announce(t.Context(), RawTarget{Layout: tt.l, Disks: rawDisk(t, layout(disk.UEFI), tt.esp), Name: "x", EFIVariables: tt.variables})
			if warn != tt.warn || tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
				t.Errorf("%v, %q", warn, text)
			}
			if list, _ := os.ReadDir(tt.variables); len(list) > 0 {
				t.Errorf("the firmware's variables were changed: %v", list)
			}
		})
	}
}
