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

// What a failing test leaves: the serial log, the packet capture and the screen are
// in the results' folder and are whole, also when the lab is gone.
func TestLabKeepsEvidence(t *testing.T) {
	t.Parallel()
	run, err := lab.NewRun(lab.Options{Label: t.Name(), Results: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, run.Close()) })
	t.Cleanup(run.CloseOnSignal())
	net, err := run.NewNetwork()
	must(t, err)
	_, err = net.StartDHCP(lab.DHCPOptions{})
	must(t, err)
	_, err = net.StartCapture("segment")
	must(t, err)
	guest, err := run.BuildGuest("evidence", packages(t), `
ip link set eth0 up
udhcpc -i eth0 -n -q -s /bin/true && echo LEASED
read x
`, nil)
	must(t, err)
	m, err := net.PowerOn(t.Context(), lab.MachineConfig{
		Name: "evidence", Firmware: lab.Direct, Kernel: guest.Kernel, Initrd: guest.Initrd, Cmdline: "console=ttyS0 panic=5 quiet",
	})
	must(t, err)
	expect(t, m, time.Minute, "LEASED")
	_, err = m.Screenshot(t.Context(), "evidence")
	must(t, err)

	kept, err := run.Keep()
	must(t, err)
	must(t, run.Close())
	serial, err := os.ReadFile(filepath.Join(kept, "evidence-serial.log"))
	must(t, err)
	if !strings.Contains(string(serial), "LEASED") {
		t.Errorf("the serial log: %q", serial)
	}
	packets, err := (&lab.Capture{Path: filepath.Join(kept, "segment.pcap")}).Packets()
	must(t, err)
	var asked, answered bool
	for _, p := range packets {
		asked = asked || p.SrcMAC == m.MAC && p.DHCPType() == 1
		answered = answered || p.ClientMAC() == m.MAC && p.DHCPType() == 5
	}
	if !asked || !answered {
		t.Errorf("of the lease in the capture: asked for %v, given %v, in %d packets", asked, answered, len(packets))
	}
	for _, name := range []string{"evidence.png", "dnsmasq.log", "evidence-qemu.log", "dnsmasq.conf"} {
		if _, err := os.Stat(filepath.Join(kept, name)); err != nil {
			t.Error(err)
		}
	}
}
