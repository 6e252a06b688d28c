//go:build lab

package boottest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"slipway/lab"
	ts "slipway/tasksequence"
)

// The templates that stream a vendor's disk image: an image that stands for the
// vendor's, in one of its packed forms, comes onto an empty disk byte for byte, and the
// machine starts from it.
func TestVendorImageTemplates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template, step string
		firmware       lab.Firmware
		pack           func(t *testing.T, file string) string
	}{
		{"chromeos-flex", ts.ApplyChromeOSFlex, lab.UEFI, zipped},
		{"igel-12", ts.ApplyIGELImage, lab.BIOS, xzipped},
	} {
		t.Run(c.template, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "", nil)
			image := s.run.Path("vendor.bin")
			must(t, lab.BootDisk(image, c.firmware))
			want, err := os.ReadFile(image)
			must(t, err)
			content := s.addContent(t, "Vendor's image", "operatingsystem", c.pack(t, image))

			made := decode[struct{ ID string }](t, s.slipway(t, "", "sequence", "create", "--template", c.template, "--content", c.step+".Image="+content, "--json"))
			sequence := decode[ts.Sequence](t, s.slipway(t, "", "sequence", "export", made.ID))
			sequence.Status = ts.Active
			text, err := json.Marshal(sequence)
			must(t, err)
			s.slipway(t, string(text), "sequence", "import", "-")

			disk := emptyDisk(t, s, "disk.img", 1)
			m := s.begin(t, lab.MachineConfig{Name: c.template, Firmware: c.firmware, NoIPv6: true, Disks: []lab.Disk{{Path: disk}}}, made.ID)
			s.slipway(t, "", "device", "boot", s.deviceOf(t, m).ID, "disk") // once nothing is deployed any more
			expect(t, m, 5*time.Minute, lab.DiskMarker)
			s.succeedsIn(t, m, made.ID, time.Minute)
			m.PowerOff()
			got, err := os.ReadFile(disk)
			must(t, err)
			if len(got) < len(want) || !bytes.Equal(got[:len(want)], want) {
				t.Error("the disk does not hold the image")
			}
		})
	}
}

// zipped packs a file as Google publishes its images.
func zipped(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create("flex.bin")
	must(t, err)
	_, err = w.Write(content)
	must(t, errors.Join(err, z.Close(), os.WriteFile(file+".zip", packed.Bytes(), 0o600)))
	return file + ".zip"
}

func xzipped(t *testing.T, file string) string {
	t.Helper()
	run(t, "xz", "--keep", file)
	return file + ".xz"
}
