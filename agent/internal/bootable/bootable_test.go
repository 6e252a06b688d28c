package bootable

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
)

const (
	rootUUID = "11111111-2222-3333-4444-555555555555"
	espGUID  = "c9f2b8a1-6d3e-4f70-8a9b-0c1d2e3f4a5b"
)

// layout boots both ways.
func layout(firmware disk.Firmware) disk.Layout {
	return disk.Layout{Format: disk.LayoutFormat, Disk: "d", Firmware: firmware, Table: disk.GPT, SectorSize: 512, Partitions: []disk.Partition{
		{Number: 1, Role: disk.RoleBIOSBoot, Start: 1 << 20, Size: 1 << 20},
		{Number: 2, Role: disk.RoleESP, Start: 2 << 20, Size: 64 << 20, FS: disk.FSVFAT, UUID: "ABCD-1234", PartUUID: espGUID},
		{Number: 3, Role: disk.RoleSwap, Start: 66 << 20, Size: 1 << 20, FS: disk.FSSwap, UUID: "swap-uuid"},
		{Number: 4, Role: disk.RoleRoot, Start: 67 << 20, Size: 512 << 20, FS: disk.FSExt4, UUID: rootUUID, PartUUID: "root-part"}}}
}

// tree makes files; a name that ends with "/" is a folder.
func tree(t *testing.T, files map[string]string) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(full, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

func TestKernelsNewestFirst(t *testing.T) {
	dir, root := tree(t, map[string]string{"boot/vmlinuz-6.1.0-9-amd64": "", "boot/vmlinuz-6.1.0-28-amd64": "", "boot/vmlinuz-6.9.0": "",
		"boot/initrd.img-6.1.0-28-amd64": "", "boot/initramfs-6.9.0.img": "", "boot/vmlinuz-0-rescue-abc": "", "boot/vmlinuz-9.9$(x)": "",
		"boot/initrd.img-6.1.0-9-amd64.old": "", "boot/vmlinuz-7.old": "", "boot/config-6.9.0": ""})
	if err := os.Symlink("vmlinuz-6.9.0", dir+"/boot/vmlinuz-99"); err != nil {
		t.Fatal(err)
	}
	got, err := Kernels(root)
	want := []Kernel{{"6.9.0", "/boot/vmlinuz-6.9.0", "/boot/initramfs-6.9.0.img"}, {"6.1.0-28-amd64", "/boot/vmlinuz-6.1.0-28-amd64", "/boot/initrd.img-6.1.0-28-amd64"},
		{"6.1.0-9-amd64", "/boot/vmlinuz-6.1.0-9-amd64", ""}, {"0-rescue-abc", "/boot/vmlinuz-0-rescue-abc", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, files := range []map[string]string{{"boot/": ""}, {"etc/": ""}} {
		_, root := tree(t, files)
		if _, err := Kernels(root); !errors.Is(err, ErrNoKernel) {
			t.Errorf("got %v", err)
		}
	}
}

func TestGrubConfig(t *testing.T) {
	root, _ := layout(disk.UEFI).Find(disk.RoleRoot)
	text := GrubConfig("Debian GNU/Linux", []Kernel{{"2", "/boot/vmlinuz-2", "/boot/initrd.img-2"}, {"1", "/boot/vmlinuz-1", ""}}, root, " quiet  mem=1G ", 4)
	for _, want := range []string{"set timeout=4\n", "search --no-floppy --fs-uuid --set=root " + rootUUID + "\n",
		"menuentry 'Debian GNU/Linux, Linux 2' {\n  linux /boot/vmlinuz-2 root=UUID=" + rootUUID + " ro console=tty0 console=ttyS0 quiet mem=1G\n  initrd /boot/initrd.img-2\n}\n" +
			"menuentry 'Debian GNU/Linux, Linux 1' {\n  linux /boot/vmlinuz-1 root=PARTUUID=root-part ro console=tty0 console=ttyS0 quiet mem=1G\n}\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("misses %q in\n%s", want, text)
		}
	}
	for _, bad := range []string{"a;halt", "a=$b", "x'", "{", "a\\", "é"} {
		if CheckOptions("quiet "+bad) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := CheckOptions("quiet ip=10.0.0.1::10.0.0.2 video=1024x768@60 net.ifnames=0,1 a=~b"); err != nil {
		t.Error(err)
	}
}

func TestFstab(t *testing.T) {
	got := Fstab(layout(disk.UEFI), "# old\nUUID=old / ext4 defaults 0 1\nLABEL=EFI /boot/efi vfat x 0 0\n/dev/sda2 none swap sw 0 0\n/swapfile swap swap sw 0 0\ntmpfs /tmp tmpfs size=1g 0 0\nnas:/home\t/home nfs rw 0 0\nproc\n")
	want := "# Written when this system was deployed.\nUUID=" + rootUUID + " / ext4 errors=remount-ro 0 1\nUUID=ABCD-1234 /boot/efi vfat umask=0077 0 1\nUUID=swap-uuid none swap sw 0 0\ntmpfs /tmp tmpfs size=1g 0 0\nnas:/home /home nfs rw 0 0\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestResetIdentity(t *testing.T) {
	dir, root := tree(t, map[string]string{"etc/machine-id": "0123\n", "etc/ssh/ssh_host_rsa_key": "", "etc/ssh/ssh_host_rsa_key.pub": "", "etc/ssh/sshd_config": "",
		"var/lib/systemd/random-seed": "", "var/lib/dbus/machine-id": "0123\n"})
	done, err := ResetIdentity(root)
	if err != nil || len(done) != 5 {
		t.Errorf("%q, %v", done, err)
	}
	if text, err := os.ReadFile(dir + "/etc/machine-id"); err != nil || len(text) > 0 {
		t.Errorf("machine-id %q, %v", text, err)
	}
	if !exists(root, "etc/ssh/sshd_config") || exists(root, "etc/ssh/ssh_host_rsa_key") {
		t.Error("the wrong SSH files went")
	}
	if done, err := ResetIdentity(root); err != nil || len(done) != 0 {
		t.Errorf("the second time: %q, %v", done, err)
	}
}

// TestLoadOption compares with an entry as efibootmgr writes it: device path bytes
// by the tables of UEFI 2.10, 10.3.5.1 and 10.3.5.4.
func TestLoadOption(t *testing.T) {
	o, err := loadOption(layout(disk.UEFI), "Debian", `\EFI\debian\grubx64.efi`)
	if err != nil {
		t.Fatal(err)
	}
	want := "01000000" + "6200" + "440065006200690061006e000000" +
		"04012a00" + "02000000" + "0010000000000000" + "0000020000000000" + "a1b8f2c93e6d704f8a9b0c1d2e3f4a5b" + "0202" +
		"04043400" + "5c004500460049005c00640065006200690061006e005c0067007200750062007800360034002e006500660069000000" + "7fff0400"
	if got := hex.EncodeToString(o.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	back, err := parseLoadOption(o.Encode())
	if err != nil || back != o {
		t.Errorf("read back %+v, %v", back, err)
	}
	mbr := layout(disk.BIOS)
	mbr.Table = disk.MBR
	if _, err := loadOption(mbr, "x", "y"); err == nil {
		t.Error("an MBR got an entry")
	}
}

func FuzzParseLoadOption(f *testing.F) {
	o, err := loadOption(layout(disk.UEFI), "Debian", `\EFI\x`)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(o.Encode())
	f.Add([]byte{1, 0, 0, 0, 4, 0, 'A', 0, 0, 0, 0x7f, 0xff, 4, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseLoadOption(data)
		if err != nil {
			return
		}
		if back, err := parseLoadOption(o.Encode()); err != nil && len(o.Encode()) < 1<<15 {
			t.Errorf("%+v: not read back: %+v, %v", o, back, err)
		}
	})
}

func TestPlanEntry(t *testing.T) {
	ours, _ := loadOption(layout(disk.UEFI), "Debian", `\EFI\debian\grubx64.efi`)
	earlier := ours
	earlier.GUID[0]++
	earlier.Path = `\efi\DEBIAN\grubx64.efi`
	other := ours // a system of the same name on another disk
	other.GUID[1]++
	present := func(guid [16]byte) bool { return guid == ours.GUID || guid == other.GUID }
	net := LoadOption{Description: "UEFI PXEv4"}
	order := func(list ...uint16) []byte { return orderValue(list) }
	tests := []struct {
		name      string
		variables map[string][]byte
		want      change
	}{
		{"none yet", map[string][]byte{}, change{0, ours.Encode(), []uint16{0}, nil}},
		{"behind the network entry that started the machine", map[string][]byte{"Boot0000": net.Encode(), "Boot0001": net.Encode(), "Boot0003": net.Encode(), "BootOrder": order(1, 0, 3), "BootCurrent": order(0)},
			change{2, ours.Encode(), []uint16{1, 0, 2, 3}, nil}},
		{"first when it is not known", map[string][]byte{"Boot0000": net.Encode(), "BootOrder": order(0), "BootCurrent": order(9)}, change{1, ours.Encode(), []uint16{1, 0}, nil}},
		{"an earlier deployment's is replaced in its place", map[string][]byte{"Boot0000": net.Encode(), "Boot0004": earlier.Encode(), "BootOrder": order(0, 4)}, change{4, ours.Encode(), []uint16{0, 4}, nil}},
		{"twice becomes once", map[string][]byte{"Boot0002": earlier.Encode(), "Boot0001": ours.Encode(), "BootOrder": order(2, 1)}, change{1, nil, []uint16{1}, []uint16{2}}},
		{"that of another disk stays", map[string][]byte{"Boot0003": other.Encode(), "BootOrder": order(3)}, change{0, ours.Encode(), []uint16{0, 3}, nil}},
		{"that of another disk stays, ours too", map[string][]byte{"Boot0003": other.Encode(), "Boot0004": earlier.Encode(), "Boot0005": ours.Encode(), "BootOrder": order(3, 4, 5)},
			change{4, ours.Encode(), []uint16{3, 4}, []uint16{5}}},
		{"there already", map[string][]byte{"Boot000A": ours.Encode(), "Boot000b": []byte("not a number"), "BootOrder": order(10)}, change{10, nil, []uint16{10}, nil}},
	}
	for _, tt := range tests {
		got := planEntry(tt.variables, ours, present)
		if got.number != tt.want.number || !bytes.Equal(got.entry, tt.want.entry) || !slices.Equal(got.order, tt.want.order) || !slices.Equal(got.remove, tt.want.remove) {
			t.Errorf("%s: %d %v, order %v, remove %v", tt.name, got.number, got.entry != nil, got.order, got.remove)
		}
	}
}

func TestBIOSPlaces(t *testing.T) {
	gpt, mbr := layout(disk.BIOS), layout(disk.BIOS)
	mbr.Table, mbr.Partitions = disk.MBR, []disk.Partition{{Number: 1, Role: disk.RoleRoot, Start: 2 << 20, Size: 1 << 30}}
	none, big := layout(disk.BIOS), layout(disk.BIOS)
	none.Partitions = none.Partitions[1:]
	big.SectorSize = 4096
	for _, tt := range []struct {
		l             disk.Layout
		start, length int64
		err           string
	}{{gpt, 1 << 20, 1 << 20, ""}, {mbr, 512, 1<<20 - 512, ""}, {none, 0, 0, "BIOS boot partition"}, {big, 0, 0, "4096"}} {
		start, length, err := biosPlace(tt.l)
		if start != tt.start || length != tt.length || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %d, %d, %v", tt, start, length, err)
		}
	}
	core, err := patchCore(make([]byte, 1500), 2048)
	if err != nil || len(core) != 1536 || binary.LittleEndian.Uint64(core[coreList:]) != 2049 || binary.LittleEndian.Uint16(core[coreList+8:]) != 2 {
		t.Errorf("core: %d bytes, %v", len(core), err)
	}
}
