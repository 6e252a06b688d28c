package disk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// drives is a Windows machine with one or more disks; a disk holds what its layout says.
type drives struct {
	disks   []Drive
	layouts map[int]Layout
	letters map[string]Place
}

func (d *drives) Disks() ([]Drive, error)            { return append([]Drive(nil), d.disks...), nil }
func (d *drives) Letters() (map[string]Place, error) { return cloneLetters(d.letters), nil }

func (d *drives) Layout(n int) (Layout, error) {
	l, ok := d.layouts[n]
	if !ok {
		return l, ErrNoTable
	}
	return l, nil
}

func cloneLetters(in map[string]Place) map[string]Place {
	out := map[string]Place{}
	for k, v := range in {
		out[k] = v
	}
	return out
}

// windowsMachine has a USB stick with the letter W and a disk; scripts are what diskpart was told.
func windowsMachine(t *testing.T, firmware Firmware) (m *Windows, d *drives, l Layout, scripts *[]string) {
	t.Helper()
	d = &drives{layouts: map[int]Layout{}, letters: map[string]Place{"W": {1, 1}, "X": {9, 1}},
		disks: []Drive{{Number: 1, Disk: Disk{ID: "usb", Name: "PhysicalDrive1", Size: 32e9, SectorSize: 512, Bus: BusUSB, Removable: true}},
			{Number: 0, Disk: Disk{ID: "disk0", Name: "PhysicalDrive0", Size: 64 << 30, SectorSize: 512, Bus: BusATA}}}}
	scripts = new([]string)
	var text string
	m = &Windows{Drives: d, System: "X",
		Script: func(s string) (string, func(), error) { text = s; return "script.txt", func() {}, nil },
		Run: func(_ context.Context, args ...string) (string, error) {
			if strings.Join(args, " ") != "diskpart.exe /s script.txt" {
				t.Errorf("unexpected: %v", args)
			}
			*scripts = append(*scripts, strings.ReplaceAll(text, "\r\n", "\n"))
			return "", nil
		}}
	l, err := Plan(Spec{Layout: LayoutWindows, Firmware: firmware}, d.disks[1].Geometry())
	if err != nil {
		t.Fatal(err)
	}
	l.Identify("disk0", "seed")
	return m, d, l, scripts
}

func TestDiskpartMakesTheWindowsLayout(t *testing.T) {
	m, d, l, scripts := windowsMachine(t, UEFI)
	d.layouts[0] = l // what diskpart makes
	got, err := m.Prepare(t.Context(), l, func(int, string) {})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`select disk 0
clean
convert gpt
create partition efi size=499 offset=1024
format quick fs=fat32 label="ESP"
create partition msr size=128 offset=512000
create partition primary size=%d offset=643072 id=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
format quick fs=ntfs label="Windows"
create partition primary size=1024 offset=%d id=de94bba4-06d1-4d40-a16a-bfd50179d6ac
format quick fs=ntfs label="Recovery"
gpt attributes=0x8000000000000001
uniqueid disk id=%s
select partition 1
assign letter=S
select partition 3
assign letter=V
exit
`, l.Partitions[2].Size>>20, l.Partitions[3].Start>>10, l.TableID)
	if len(*scripts) != 1 || (*scripts)[0] != want {
		t.Errorf("diskpart was told\n%s\nwant\n%s", strings.Join(*scripts, "\n"), want)
	}
	if got.TableID != l.TableID || got.Partitions[0].UUID != "" {
		t.Errorf("found %+v", got)
	}
}

func TestDiskpartForBIOS(t *testing.T) {
	m, d, l, scripts := windowsMachine(t, BIOS)
	d.layouts[0] = l
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); err != nil {
		t.Fatal(err)
	}
	script := (*scripts)[0]
	for _, want := range []string{"convert mbr\n", "id=07\nformat quick fs=ntfs label=\"Windows\"\nactive\n", "uniqueid disk id=" + l.TableID + "\n", "id=27\n"} {
		if !strings.Contains(script, want) {
			t.Errorf("no %q in\n%s", want, script)
		}
	}
	if strings.Contains(script, "msr") || strings.Contains(script, "gpt") {
		t.Errorf("an MBR got\n%s", script)
	}
}

// Power may fail at any line: the disk has the planned id, by which Holds knows it, when
// all file systems are there.
func TestTheDiskGetsItsIDLast(t *testing.T) {
	for _, firmware := range []Firmware{UEFI, BIOS} {
		m, d, l, scripts := windowsMachine(t, firmware)
		d.layouts[0] = l
		if _, err := m.Prepare(t.Context(), l, func(int, string) {}); err != nil {
			t.Fatal(err)
		}
		before, after, found := strings.Cut((*scripts)[0], "uniqueid disk id="+l.TableID+"\n")
		if !found || strings.Contains(after, "create") || strings.Contains(after, "format") || strings.Contains(before, "assign") {
			t.Errorf("%s: diskpart was told\n%s", firmware, (*scripts)[0])
		}
	}
}

// What diskpart reports as done is not believed.
func TestWhatDiskpartMadeIsReadBack(t *testing.T) {
	for name, change := range map[string]func(*Layout){
		"a table of another kind": func(l *Layout) { l.Table = MBR },
		"another id":              func(l *Layout) { l.TableID = "x" },
		"a partition less":        func(l *Layout) { l.Partitions = l.Partitions[:3] },
		"another size":            func(l *Layout) { l.Partitions[2].Size -= 1 << 20 },
	} {
		m, d, l, _ := windowsMachine(t, UEFI)
		found := l
		found.Partitions = append([]Partition(nil), l.Partitions...)
		change(&found)
		d.layouts[0] = found
		if _, err := m.Prepare(t.Context(), l, func(int, string) {}); err == nil || !strings.Contains(err.Error(), "does not hold what diskpart was told") {
			t.Errorf("%s: %v", name, err)
		}
		if holds, err := m.Holds(t.Context(), l); holds || err != nil {
			t.Errorf("%s: holds %v, %v", name, holds, err)
		}
	}
	m, d, l, _ := windowsMachine(t, UEFI)
	d.layouts[0] = l
	if holds, err := m.Holds(t.Context(), l); !holds || err != nil {
		t.Errorf("as planned: holds %v, %v", holds, err)
	}
}

func TestTheDiskOfTheRunningWindowsIsLeftAlone(t *testing.T) {
	m, d, l, scripts := windowsMachine(t, UEFI)
	d.letters["X"] = Place{0, 3}
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); !errors.Is(err, ErrInUse) || len(*scripts) > 0 {
		t.Errorf("%v, ran %q", err, *scripts)
	}
	l.Disk = "gone"
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := m.Open(t.Context(), "disk0", OpenOptions{}); err == nil {
		t.Error("a disk was opened")
	}
}

// After a restart of WinPE the letters are given anew.
func TestDriveLettersOfTheTarget(t *testing.T) {
	m, d, l, scripts := windowsMachine(t, UEFI)
	root, err := m.Mount(t.Context(), l)
	if err != nil || root != `V:\` || len(*scripts) != 1 || (*scripts)[0] != "select disk 0\nselect partition 3\nassign letter=V\nexit\n" {
		t.Fatalf("%q, %v, %q", root, err, *scripts)
	}
	d.letters["V"] = Place{0, 3}
	if root, err = m.Mount(t.Context(), l); err != nil || root != `V:\` || len(*scripts) != 1 {
		t.Errorf("again: %q, %v, %q", root, err, *scripts)
	}
}

// Two logical drives of one controller have the same model and serial number.
func TestTwinsOnWindowsAreToldApart(t *testing.T) {
	m, d, _, scripts := windowsMachine(t, UEFI)
	twin := func(number int, size int64) Drive {
		return Drive{Number: number, Disk: Disk{ID: "scsi-HP LOGICAL VOLUME-PDNLH0BRH9", Name: fmt.Sprintf("PhysicalDrive%d", number),
			Size: size, SectorSize: 512, Bus: BusSCSI, Model: "HP LOGICAL VOLUME", Serial: "PDNLH0BRH9"}}
	}
	d.disks = []Drive{twin(0, 4<<40), twin(1, 200<<30)}
	d.letters = map[string]Place{"X": {-1, -1}}
	list, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := Choose(list, Rule{By: BySmallest})
	if err != nil || chosen.ID != "scsi-HP LOGICAL VOLUME-PDNLH0BRH9#1" {
		t.Fatalf("chosen: %q, %v", chosen.ID, err)
	}
	l, err := Plan(Spec{Layout: LayoutWindows, Firmware: UEFI}, chosen.Geometry())
	if err != nil {
		t.Fatal(err)
	}
	l.DiskSize = chosen.Size
	l.Identify(chosen.ID, "seed")
	d.layouts[1] = l
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); err != nil || !strings.HasPrefix((*scripts)[0], "select disk 1\n") {
		t.Fatalf("chosen is %s, diskpart was told %q: %v", chosen, *scripts, err)
	}
	d.disks = []Drive{twin(1, 4<<40), twin(0, 200<<30)} // numbered the other way after a restart
	d.layouts[0] = l
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); !errors.Is(err, ErrRefused) || len(*scripts) > 1 {
		t.Errorf("the other twin: %v, ran %q", err, *scripts)
	}
	if _, err := m.Device(t.Context(), l, 3); !errors.Is(err, ErrRefused) {
		t.Errorf("a drive letter on the other twin: %v", err)
	}
	d.disks = []Drive{twin(1, 4<<40), twin(0, 200<<30), {Number: 2, Disk: Disk{ID: l.Disk, Size: l.DiskSize}}}
	if _, err := m.Prepare(t.Context(), l, func(int, string) {}); !errors.Is(err, ErrRefused) || len(*scripts) > 1 {
		t.Errorf("two disks of one id: %v, ran %q", err, *scripts)
	}
}
