package bootable

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
)

// fatImage makes a FAT file system with files by the tools of others (dosfstools,
// mtools); sectors of 512 bytes.
func fatImage(t *testing.T, kib, bits int, files ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fat")
	run := func(args ...string) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	run("mkfs.vfat", "-C", "-s", "1", "-F", fmt.Sprint(bits), file, fmt.Sprint(kib))
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("loader"), 0o600); err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, name := range files {
		dir := ""
		for _, part := range strings.Split(filepath.Dir(name), "/") {
			if dir += "/" + part; part != "." && !made[dir] {
				made[dir] = true
				run("mmd", "-i", file, "::"+dir)
			}
		}
		if !strings.HasSuffix(name, "/") {
			run("mcopy", "-i", file, text, "::/"+name)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFilesAreFoundOnFAT(t *testing.T) {
	var many []string // so that folders take more than one cluster
	for i := range 40 {
		many = append(many, fmt.Sprintf("efi/boot/a long name, which takes entries of its own, number %d.txt", i))
	}
	for _, tt := range []struct {
		kib, bits int
	}{{1024, 12}, {16 << 10, 16}, {64 << 10, 32}} {
		data := fatImage(t, tt.kib, tt.bits, append(many, "efi/boot/bootx64.efi", "efi/file")...)
		f, err := openFAT(bytes.NewReader(data))
		if err != nil || f.bits != tt.bits {
			t.Fatalf("FAT%d: %+v, %v", tt.bits, f, err)
		}
		for path, want := range map[string]bool{"EFI/BOOT/BOOTX64.EFI": true, "EFI/FILE": true, "EFI/BOOT/BOOTAA64.EFI": false, "EFI/BOOT": false,
			"EFI/FILE/BOOTX64.EFI": false, "BOOTX64.EFI": false, "BOOT/BOOTX64.EFI": false} {
			if got, err := f.has(path); err != nil || got != want {
				t.Errorf("FAT%d: %s: %v, %v", tt.bits, path, got, err)
			}
		}
	}
	if _, err := openFAT(bytes.NewReader(make([]byte, 4096))); !errors.Is(err, errFAT) {
		t.Errorf("zeros: %v", err)
	}
}

func FuzzFAT(f *testing.F) {
	for _, text := range [][]byte{nil, bytes.Repeat([]byte{0xff}, 2048)} {
		f.Add(append(minimalFAT(), text...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		fs, err := openFAT(bytes.NewReader(data))
		if err != nil {
			return
		}
		found, err := fs.has("EFI/BOOT/BOOTX64.EFI")
		if found && err != nil {
			t.Errorf("found, and %v", err)
		}
	})
}

// minimalFAT is a FAT12 of one-sector clusters with the folder EFI in its root.
func minimalFAT() []byte {
	b := make([]byte, 512*8)
	copy(b[11:], []byte{0, 2, 1, 1, 0, 1, 16, 0, 8, 0, 0xf8, 1, 0})
	b[510], b[511] = 0x55, 0xaa
	copy(b[512:], []byte{0xf8, 0xff, 0xff, 0x03, 0x20, 0x00}) // the folder's chain is a loop
	copy(b[1024:], "EFI        \x10")
	b[1024+26] = 2
	return b
}

func TestALoopInAFolderEnds(t *testing.T) {
	b := minimalFAT()
	copy(b[1536:], bytes.Repeat([]byte{0xe5}, 1024)) // no entry ends the folder
	f, err := openFAT(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := f.has("EFI/BOOT/BOOTX64.EFI"); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

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
	disks := rawDisk(t, l, fatImage(t, 2048, 12, "efi/boot/bootx64.efi"))
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
	good := fatImage(t, 2048, 12, "efi/boot/bootx64.efi")
	for name, tt := range map[string]struct {
		l         disk.Layout
		esp       []byte
		variables string
		want      string
		warn      bool
	}{
		"BIOS":                      {bios, good, t.TempDir(), "", false},
		"MBR":                       {mbr, good, t.TempDir(), `removable path \EFI\BOOT\BOOTX64.EFI; a boot entry would need a GPT`, false},
		"another loader":            {layout(disk.UEFI), fatImage(t, 2048, 12, "efi/boot/bootia32.efi"), t.TempDir(), "partition 2: the file is not there), and this machine boots by UEFI: it may not start", true},
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
