//go:build lab

package boottest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// withoutPXE is an appliance that answers no DHCP, on a network whose ordinary
// server knows nothing of network boot.
const withoutPXE = "dhcp:\n  mode: off\n"

// medium makes a medium by the command.
func (s *scene) medium(t *testing.T, kind string, more ...string) string {
	t.Helper()
	file := s.run.Path("slipway." + kind)
	out := s.slipway(t, "", append([]string{"image", "media", "--kind", kind, file}, more...)...)
	if !strings.Contains(out, "sha256") {
		t.Fatalf("the command says %q", out)
	}
	return file
}

// noBootServer fails when the machine got anything from the appliance before Linux:
// the medium alone led to the prompt.
func (s *scene) noBootServer(t *testing.T, m *lab.Machine) {
	t.Helper()
	packets, err := s.capture.Packets()
	must(t, err)
	for _, p := range packets {
		if p.SrcMAC == m.MAC && p.TFTPFile() != "" {
			t.Errorf("the machine asked for %s by TFTP", p.TFTPFile())
		}
		if p.Src == lab.ApplianceAddress && (p.SrcPort == 67 || p.SrcPort == 4011) {
			t.Errorf("the appliance answered DHCP")
		}
	}
}

// A CD leads to the same challenge on both firmwares, finds the appliance by the
// address in the image, and lets one sign in.
func TestMediaCD(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, withoutPXE, nil)
			iso := s.medium(t, "iso", "--server", lab.ApplianceAddress)
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "cd-" + string(firmware), Firmware: firmware, CD: iso})
			must(t, err)
			expect(t, m, 2*time.Minute, "Passcode")
			keepScreen(t, m, "cd-"+string(firmware)+"-passcode")
			s.noBootServer(t, m)
			succeed(t, s, m)
		})
	}
}

// A stick does too; where the address in the image is of another site, the right one
// is typed at the device.
func TestMediaUSB(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, withoutPXE, nil)
			server := lab.ApplianceAddress
			if firmware == lab.UEFI {
				server = "10.77.0.99:8443" // nobody is there
			}
			stick := s.medium(t, "usb", "--server", server)
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "usb-" + string(firmware), Firmware: firmware, USB: stick})
			must(t, err)
			if firmware == lab.UEFI {
				expect(t, m, 2*time.Minute, "No answer from the appliance")
				expect(t, m, 10*time.Second, `10\.77\.0\.99:8443 \(boot image\)`)
				must(t, m.Console.Type("\x05")) // Ctrl-E, for terminals without F6
				expect(t, m, 20*time.Second, "Type the appliance's address")
				must(t, m.Console.Type(lab.ApplianceAddress+"\r"))
			}
			expect(t, m, 2*time.Minute, "Passcode")
			keepScreen(t, m, "usb-"+string(firmware)+"-passcode")
			s.noBootServer(t, m)
		})
	}
}

// An exported folder boots machines from a server that is not the appliance: dnsmasq
// hands out addresses and files as README.txt says.
func TestExportForeignServer(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.PlainBIOS, lab.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, withoutPXE, nil)
			dir := s.run.Path("tftp")
			s.slipway(t, "", "image", "export", dir, "--server", lab.ApplianceAddress)
			must(t, exportIsWhole(dir))
			s.dhcp.Stop()
			conf := s.run.Path("foreign.conf")
			must(t, os.WriteFile(conf, []byte(strings.Join([]string{"port=0", "interface=eth0", "bind-interfaces", "no-ping", "log-dhcp", "user=root", "pid-file=",
				"dhcp-leasefile=" + s.run.Path("foreign.leases"), "dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h",
				"enable-tftp", "tftp-root=" + dir, "dhcp-match=set:efi64,option:client-arch,7", "dhcp-match=set:efi64,option:client-arch,9",
				"dhcp-boot=tag:efi64,bootx64.efi", "dhcp-boot=tag:!efi64,pxelinux.0"}, "\n")+"\n"), 0o644))
			_, err := s.run.Start("foreign", s.dhcp.NS, "dnsmasq", "--no-daemon", "--conf-file="+conf)
			must(t, err)
			m := s.powerOn(t, firmware)
			expect(t, m, 3*time.Minute, "Passcode")
			keepScreen(t, m, "foreign-"+string(firmware)+"-passcode")
		})
	}
}

func exportIsWhole(dir string) error {
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(sums)) {
		if _, err := os.Stat(filepath.Join(dir, strings.TrimSpace(line[66:]))); err != nil {
			return err
		}
	}
	return nil
}
