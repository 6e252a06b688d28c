//go:build lab

package boottest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
	"slipway/lab"
)

// standIn builds the program that stands in for Microsoft's boot manager.
func standIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, line := range []string{
		"gcc -I/usr/include/efi -I/usr/include/efi/x86_64 -fpic -ffreestanding -fno-stack-protector -fshort-wchar -mno-red-zone -maccumulate-outgoing-args -Wall -Werror -O1 -c " +
			filepath.Join(lab.Root(), "lab/boottest/testdata/standin/standin.c") + " -o standin.o",
		"ld -nostdlib -znocombreloc -T /usr/lib/elf_x86_64_efi.lds -shared -Bsymbolic -L/usr/lib /usr/lib/crt0-efi-x86_64.o standin.o -o standin.so -lefi -lgnuefi",
		"objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j .rel.* -j .rela.* -j .reloc --target=efi-app-x86_64 --subsystem=10 standin.so standin.efi",
	} {
		words := strings.Fields(line)
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", words[0], err, out)
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "standin.efi"))
	must(t, err)
	return string(content)
}

// buildWinPE builds a Windows PE image whose boot manager is the stand-in; extra are
// further files of its source.
func (s *scene) buildWinPE(t *testing.T, megabytes int, extra map[string]string) fleet.BootImage {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "boot.wim")
	files := map[string]string{"Windows/Boot/EFI/bootmgfw.efi": standIn(t)}
	maps.Copy(files, extra)
	must(t, bootimagetest.WindowsSource{Large: 2 * megabytes << 20, Extra: files}.WriteWIM(source, dir))
	s.slipway(t, "", "image", "build", "winpe", "--source", source)
	for _, i := range decode[struct{ Images []fleet.BootImage }](t, s.slipway(t, "", "image", "list", "--json")).Images {
		if i.Kind == "winpe" {
			return i
		}
	}
	t.Fatal("no Windows PE image is listed")
	return fleet.BootImage{}
}

// wants are the lines of the stand-in for a file of the image.
func (s *scene) wants(t *testing.T, i fleet.BootImage, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.appliance.Data, "boot", i.ID, file))
	must(t, err)
	h := fnv.New64a()
	_, _ = h.Write(b)
	return fmt.Sprintf("STAND-IN: got %d bytes %X", len(b), h.Sum64())
}

// Each way to Windows PE is taken up to where Microsoft's code would take over: by
// TFTP as the boot manager itself asks, and as a disk in the firmware's memory. What it
// gets is byte for byte what was built.
func TestWindowsPEStandIn(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", nil)
	image := s.buildWinPE(t, 85, nil)
	for _, f := range image.Files {
		if f.Name == "boot.wim" && f.Size < 65536*1468 {
			t.Fatalf("boot.wim of %d bytes does not make the numbers of TFTP's blocks begin again", f.Size)
		}
	}
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.UEFIHTTP} {
		m := s.powerOn(t, firmware)
		// It becomes known by its first boot; then it is set to Windows PE.
		s.until(t, m, 2*time.Minute, "known", func(lab.Milestones) bool { return len(s.known(t, m)) == 1 })
		s.slipway(t, "", "device", "boot", m.UUID, "winpe")
		m.Console.Skip()
		must(t, m.Reset(t.Context()))
		store, how, disk := "BCD", "started by PXE", ""
		if firmware == lab.UEFIHTTP {
			store, how, disk = "BCD.media", "started from a disk", "winpe.img"
		}
		s.reachesWinPE(t, m, image, how, store)
		fmt.Printf("BOOT %s winpe: %.1f s to all files\n", firmware, time.Since(m.Started).Seconds())
		if asked := strings.Join(s.asked(t, m), " "); !strings.Contains(asked, "bootmgfw.efi") && !strings.Contains(asked, "winpe.img") || disk != "" && !strings.Contains(asked, disk) {
			t.Errorf("the machine asked for %s", asked)
		}
		if d := s.known(t, m); len(d) != 1 || d[0].ImageID != image.ID {
			t.Errorf("recorded as %+v", d)
		}
		m.PowerOff()
	}
}

// reachesWinPE waits for the stand-in to be started and to get all files, byte for byte
// as they were built.
func (s *scene) reachesWinPE(t *testing.T, m *lab.Machine, image fleet.BootImage, how, store string) {
	t.Helper()
	expect(t, m, 4*time.Minute, "STAND-IN: "+how)
	for _, file := range []string{store, "wgl4_boot.ttf", "boot.sdi", "boot.wim"} {
		expect(t, m, 4*time.Minute, s.wants(t, image, file))
	}
	expect(t, m, time.Minute, "Windows would start now")
}

// known returns the devices of a machine's UUID.
func (s *scene) known(t *testing.T, m *lab.Machine) (out []fleet.Device) {
	t.Helper()
	var all struct{ Devices []fleet.Device }
	must(t, json.Unmarshal([]byte(s.slipway(t, "", "device", "list", "--json")), &all))
	for _, d := range all.Devices {
		if d.UUID == m.UUID {
			out = append(out, d)
		}
	}
	return out
}
