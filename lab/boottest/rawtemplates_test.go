//go:build lab

package boottest

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
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
			want := vendorImage(t, image, c.firmware)
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
			if len(got) < len(want) || !bytes.Equal(got[mebibyte:len(want)-mebibyte], want[mebibyte:len(want)-mebibyte]) {
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

const mebibyte = 1 << 20

// vendorImage writes a disk image with one partition: for BIOS with a program in the
// boot sector, for UEFI with one on its EFI system partition. What lies before the
// partition and behind it, the step may change: tables move to the disk's end.
func vendorImage(t *testing.T, file string, firmware lab.Firmware) []byte {
	t.Helper()
	program := file + ".program"
	must(t, lab.BootDisk(program, firmware))
	content, err := os.ReadFile(program)
	must(t, err)
	image := make([]byte, len(content)+2*mebibyte)
	table := "label: dos\nstart=2048, type=83, bootable\n"
	if firmware == lab.UEFI {
		table = "label: gpt\nstart=2048, type=U\n"
		copy(image[mebibyte:], content)
	} else {
		copy(image, content[:440]) // the table begins behind
		rand.Read(image[mebibyte : 2*mebibyte])
	}
	must(t, os.WriteFile(file, image, 0o600))
	c := exec.CommandContext(t.Context(), "sfdisk", "--quiet", file)
	c.Stdin = strings.NewReader(table)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v: %s", err, out)
	}
	image, err = os.ReadFile(file)
	must(t, err)
	return image
}
