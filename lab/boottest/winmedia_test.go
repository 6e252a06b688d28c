//go:build lab

package boottest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// biosStandIn stands in for Microsoft's loader of CDs on BIOS machines: it says so on the
// serial line and stops.
func biosStandIn() string {
	code := []byte{
		0xe8, 0, 0, // call next
		0x5e,             // next: pop si
		0x83, 0xc6, 0x22, // add si, text - next
		0xba, 0xf8, 0x03, // mov dx, 3f8h
		0x2e, 0xac, // again: lodsb, from the code segment
		0x84, 0xc0, // test al, al
		0x74, 0x12, // jz stop
		0x88, 0xc4, // mov ah, al
		0x83, 0xc2, 0x05, // add dx, 5
		0xec,       // wait: in al, dx
		0xa8, 0x20, // test al, 20h
		0x74, 0xfb, // jz wait
		0x83, 0xea, 0x05, // sub dx, 5
		0x88, 0xe0, // mov al, ah
		0xee,       // out dx, al
		0xeb, 0xe8, // jmp again
		0xf4,       // stop: hlt
		0xeb, 0xfd, // jmp stop
	}
	b := make([]byte, 4096)
	copy(b, string(code)+"STAND-IN: the loader of CDs was started by BIOS\r\n\x00")
	return string(b)
}

// A CD of a Windows PE image leads UEFI firmware to the boot manager and to all files,
// also when it was copied to a stick, and BIOS to Microsoft's loader.
func TestWindowsPEMedia(t *testing.T) {
	t.Parallel()
	s := newScene(t, withoutPXE, nil)
	image := s.buildWinPE(t, 40, map[string]string{"Windows/Boot/DVD/PCAT/etfsboot.com": biosStandIn(), "Windows/Boot/PCAT/bootmgr": "manager"})
	iso := s.run.Path("winpe.iso")
	if out := s.slipway(t, "", "image", "media", "--kind", "iso", "--image", image.ID, iso); !strings.Contains(out, "starts on UEFI and BIOS machines") {
		t.Errorf("the command says %q", out)
	}
	for _, c := range []lab.MachineConfig{{Name: "winpe-cd", Firmware: lab.UEFI, CD: iso}, {Name: "winpe-stick", Firmware: lab.UEFI, USB: iso}} {
		m, err := s.net.PowerOn(t.Context(), c)
		must(t, err)
		s.reachesWinPE(t, m, image, "started from a disk", "BCD.media")
		fmt.Printf("BOOT %s winpe: %.1f s to all files\n", c.Name, time.Since(m.Started).Seconds())
		m.PowerOff()
	}
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "winpe-cd-bios", Firmware: lab.BIOS, CD: iso})
	must(t, err)
	expect(t, m, time.Minute, "STAND-IN: the loader of CDs was started by BIOS")
}

// An exported Windows PE image boots machines from a server that is not the appliance:
// dnsmasq hands out addresses and files as README.txt says.
func TestWindowsPEExport(t *testing.T) {
	if !soaking() {
		t.Skip("TestExportForeignServer is the short form: make soak runs it")
	}
	t.Parallel()
	s := newScene(t, withoutPXE, nil)
	image := s.buildWinPE(t, 1, nil)
	dir := s.run.Path("tftp")
	s.slipway(t, "", "image", "export", "--image", image.ID, dir)
	must(t, exportIsWhole(dir))
	s.dhcp.Stop()
	conf := s.run.Path("foreign.conf")
	must(t, os.WriteFile(conf, []byte(strings.Join([]string{"port=0", "interface=eth0", "bind-interfaces", "no-ping", "log-dhcp", "user=root", "pid-file=",
		"dhcp-leasefile=" + s.run.Path("foreign.leases"), "dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h",
		"enable-tftp", "tftp-root=" + dir, "dhcp-match=set:efi,option:client-arch,7", "dhcp-match=set:efi,option:client-arch,9",
		"dhcp-boot=tag:efi,bootmgfw.efi"}, "\n")+"\n"), 0o644))
	_, err := s.run.Start("foreign", s.dhcp.NS, "dnsmasq", "--no-daemon", "--conf-file="+conf)
	must(t, err)
	m := s.powerOn(t, lab.UEFI)
	s.reachesWinPE(t, m, image, "started by PXE from 10.77.0.1", "BCD")
}

// A UEFI machine that is set to iPXE shows its firmware winpe.img as a disk; once wimboot
// was added, that takes its place. wimboot is not here: SLIPWAY_WIMBOOT names the file.
func TestWindowsPEByIPXE(t *testing.T) {
	if !soaking() {
		t.Skip("TestWindowsPEStandIn is the short form: make soak runs it")
	}
	t.Parallel()
	s := newScene(t, "", nil)
	image := s.buildWinPE(t, 20, nil)
	m := s.powerOn(t, lab.UEFI)
	s.until(t, m, 2*time.Minute, "known", func(lab.Milestones) bool { return len(s.known(t, m)) == 1 })
	s.slipway(t, "", "device", "boot", m.UUID, "winpe")
	s.slipway(t, "", "device", "way", m.UUID, "ipxe")
	m.Console.Skip()
	must(t, m.Reset(t.Context()))
	s.reachesWinPE(t, m, image, "started from a disk", "BCD.media")
	fmt.Printf("BOOT sanboot winpe: %.1f s to all files\n", time.Since(m.Started).Seconds())
	wimboot := os.Getenv("SLIPWAY_WIMBOOT")
	if wimboot == "" {
		return
	}
	s.slipway(t, "", "image", "wimboot", wimboot)
	m.Console.Skip()
	must(t, m.Reset(t.Context()))
	expect(t, m, 3*time.Minute, "wimboot v[0-9.]+ -- Windows Imaging Format")
	s.reachesWinPE(t, m, image, "started from a disk", "BCD.media")
	fmt.Printf("BOOT wimboot winpe: %.1f s to all files\n", time.Since(m.Started).Seconds())
}
