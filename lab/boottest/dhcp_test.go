//go:build lab

package boottest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// segment is a scene without a DHCP server.
func newSegment(t *testing.T, config string) *scene {
	t.Helper()
	cache := filepath.Join(lab.Root(), ".cache", "lab")
	prepared, err := lab.Prepare(t.Context(), cache, packages(t), lab.Options{Label: t.Name() + "-prepare"}, os.Stderr)
	must(t, err)
	s := &scene{}
	s.run, s.net = newRun(t)
	data, err := prepared.Copy(s.run, "data")
	must(t, err)
	s.capture, err = s.net.StartCapture("segment")
	must(t, err)
	s.appliance, err = s.net.StartAppliance(t.Context(), lab.ApplianceOptions{Data: data, Config: config})
	must(t, err)
	return s
}

// The appliance is the only DHCP server: machines get their address and their boot
// from it, and so does whoever does not boot.
func TestAuthoritativeDHCP(t *testing.T) {
	t.Parallel()
	for _, firmware := range lab.NetworkFirmwares() {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newSegment(t, `dhcp:
  mode: authoritative
  subnets:
    - subnet: 10.77.0.0/24
      range: 10.77.0.100-10.77.0.150
      router: 10.77.0.1
      domain: lab.example
      reservations: {"52:54:00:77:00:01": 10.77.0.60}
`)
			client, err := s.net.NewOrdinaryClient("neighbour")
			must(t, err)
			lease, err := client.Lease()
			must(t, err)
			if lease["ip"] != "10.77.0.100" || lease["serverid"] != lab.ApplianceAddress || lease["router"] != "10.77.0.1" || lease["domain"] != "lab.example" || lease["boot_file"]+lease["bootfile"]+lease["opt43"]+lease["vendor"] != "" {
				t.Errorf("the neighbour's lease: %v", lease)
			}
			m := s.powerOn(t, firmware)
			expect(t, m, 3*time.Minute, "Passcode")
			fmt.Printf("BOOT authoritative-%s: %v prompt %.1f\n", firmware, s.milestones(t, m), time.Since(m.Started).Seconds())
			if d := s.device(t); !strings.Contains(fmt.Sprint(d), "10.77.0.60") {
				t.Errorf("the machine did not use its reserved address: %+v", d)
			}
			must(t, s.appliance.Restart(t.Context())) // its own leases keep it from nothing
			again, err := client.Lease()
			must(t, err)
			if again["ip"] != lease["ip"] {
				t.Errorf("after a restart the neighbour got %s, before %s", again["ip"], lease["ip"])
			}
		})
	}
}

// Beside another DHCP server the appliance does not start, and says who it is.
func TestAuthoritativeDHCPRefuses(t *testing.T) {
	t.Parallel()
	run, net := newRun(t)
	_, err := net.StartDHCP(lab.DHCPOptions{})
	must(t, err)
	_, err = net.StartAppliance(t.Context(), lab.ApplianceOptions{Data: run.Path("data"),
		Config: "dhcp: {mode: authoritative, subnets: [{subnet: 10.77.0.0/24, range: 10.77.0.210-10.77.0.220}]}\n"})
	if err == nil || !strings.Contains(err.Error(), "another DHCP server, 10.77.0.1, answers on eth0") {
		t.Errorf("%v", err)
	}
}

// A DHCP server that stays alone leads every kind of client to the appliance with
// the settings that the appliance prints, and a machine to its challenge.
func TestForeignDHCP(t *testing.T) {
	t.Parallel()
	for kind, firmware := range map[string]lab.Firmware{"isc": lab.UEFI, "kea": lab.UEFIHTTP, "dnsmasq": lab.BIOS} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSegment(t, "dhcp: {mode: 'off'}\n")
			_, err := s.net.StartForeignDHCP(kind, s.slipway(t, "", "dhcp-options", "--server", kind, "--address", lab.ApplianceAddress))
			must(t, err)
			foreignAnswers(t, s)
			if testing.Short() {
				return
			}
			m := s.powerOn(t, firmware)
			expect(t, m, 3*time.Minute, "Passcode")
			fmt.Printf("BOOT %s-%s: %v prompt %.1f\n", kind, firmware, s.milestones(t, m), time.Since(m.Started).Seconds())
		})
	}
}

// foreignAnswers asks as clients of each kind would.
func foreignAnswers(t *testing.T, s *scene) {
	t.Helper()
	client, err := s.net.NewOrdinaryClient("neighbour")
	must(t, err)
	const http = "http://" + lab.ApplianceAddress + ":8080/boot/"
	ipxe := []string{"-x", "0x4d:" + hex.EncodeToString([]byte("iPXE"))}
	script := func(arch, fw string) string {
		return http + "script/${netX/mac:hexraw}?uuid=${uuid}&arch=" + arch + "&fw=" + fw
	}
	for _, c := range []struct {
		name, class string
		arch        int
		more        []string
		file        string
	}{
		{"BIOS", "PXEClient:Arch:00000:UNDI:002001", 0, nil, "undionly.kpxe"},
		{"UEFI", "PXEClient:Arch:00007:UNDI:003000", 7, nil, "snponly.efi"},
		{"UEFI, other number", "PXEClient:Arch:00009:UNDI:003000", 9, nil, "snponly.efi"},
		{"32-bit UEFI", "PXEClient:Arch:00006:UNDI:003000", 6, nil, "snponly-i386.efi"},
		{"ARM", "PXEClient:Arch:00011:UNDI:003000", 11, nil, "snponly-arm64.efi"},
		{"HTTP Boot", "HTTPClient:Arch:00016:UNDI:003000", 16, nil, http + "loaders/snponly.efi"},
		{"HTTP Boot, ARM", "HTTPClient:Arch:00019:UNDI:003000", 19, nil, http + "loaders/snponly-arm64.efi"},
		{"iPXE, BIOS", "PXEClient:Arch:00000:UNDI:002001", 0, ipxe, script("x64", "bios")},
		{"iPXE, UEFI", "PXEClient:Arch:00007:UNDI:003010", 7, ipxe, script("x64", "uefi")},
		{"iPXE, ARM", "PXEClient:Arch:00011:UNDI:003010", 11, ipxe, script("arm64", "uefi")},
	} {
		got, err := client.LeaseAs(append([]string{"-V", c.class, "-x", fmt.Sprintf("0x5d:%04x", c.arch)}, c.more...)...)
		must(t, err)
		// From the header, or from option 67 where the client asks for that.
		if file := cmp.Or(got["boot_file"], got["bootfile"]); file != c.file || got["siaddr"] != lab.ApplianceAddress && !strings.HasPrefix(c.class, "HTTP") {
			t.Errorf("%s: %v, want %s", c.name, got, c.file)
		}
		if strings.HasPrefix(c.class, "HTTP") && got["vendor"] != "HTTPClient" {
			t.Errorf("%s: the class is missing: %v", c.name, got)
		}
	}
	got, err := client.LeaseAs("-V", "SlipwayAgent")
	must(t, err)
	api := lab.ApplianceAddress + ":8443"
	if want := hex.EncodeToString(append([]byte{1, byte(len(api))}, api...)); got["opt43"] != want || got["vendor"] != "SlipwayAgent" || got["boot_file"]+got["bootfile"] != "" {
		t.Errorf("agent: %v", got)
	}
	if got, err = client.Lease(); err != nil || got["ip"] == "" || got["boot_file"]+got["bootfile"]+got["opt43"]+got["vendor"] != "" {
		t.Errorf("an ordinary client: %v, %v", got, err)
	}
}
