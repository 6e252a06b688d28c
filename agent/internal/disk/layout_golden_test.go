package disk

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of the present format")

// TestReleasedLayoutForms: the appliance keeps layouts in a variable, and a boot image that
// was built later reads them: each released form means what it did.
func TestReleasedLayoutForms(t *testing.T) {
	before := Layout{Format: 1, Disk: "QEMU HARDDISK:QM00001", Firmware: "uefi", Table: GPT, TableID: "B4E5C1A0-0000-4000-8000-000000000001", SectorSize: 512,
		Partitions: []Partition{
			{Number: 1, Role: "esp", Type: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", Name: "EFI", Start: 1 << 20, Size: 512 << 20, FS: FSVFAT, Label: "ESP", UUID: "1A2B-3C4D", PartUUID: "00000000-0000-4000-8000-000000000001"},
			{Number: 2, Role: "root", Type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4", Start: 513 << 20, Size: 3 << 40, Attributes: 4, Active: true, FS: FSExt4, UUID: "00000000-0000-4000-8000-000000000002", PartUUID: "00000000-0000-4000-8000-000000000003"},
		}}
	sized := before
	sized.DiskSize = 4 << 40
	for name, want := range map[string]Layout{"layout-format-1.json": before, "layout-format-1-size.json": sized} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(want.Text()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseLayout(string(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if want.Text() != strings.TrimSpace(string(text)) {
			t.Errorf("%s is written otherwise now:\n%s", name, want.Text())
		}
	}
}
