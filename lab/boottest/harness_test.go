//go:build lab

package boottest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// The lab itself: a guest boots, gets an address from the ordinary server, is
// typed to over both keyboards, shows a picture, and nothing of it is left.
func TestLabGuest(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	run, net := newRun(t)
	dhcp, err := net.StartDHCP(lab.DHCPOptions{RouterAdvertisements: true})
	must(t, err)
	guest, err := run.BuildGuest("hello", packages(t), `
exec 3</dev/tty0
ip link set eth0 up
udhcpc -i eth0 -n -q -s /bin/true && echo LEASED
echo "say something"; read x; echo "heard: $x"
echo "press something"; read x <&3; echo "pressed: $x"
poweroff -f
`, nil)
	must(t, err)
	m, err := net.PowerOn(ctx, lab.MachineConfig{
		Name: "hello", Firmware: lab.Direct, Kernel: guest.Kernel, Initrd: guest.Initrd, Cmdline: "console=tty0 console=ttyS0 panic=5 quiet",
	})
	must(t, err)
	expect(t, m, 60*time.Second, "LEASED")
	expect(t, m, 10*time.Second, "say something")
	must(t, m.Console.Type("good morning\n"))
	expect(t, m, 10*time.Second, "heard: good morning")
	expect(t, m, 10*time.Second, "press something")
	must(t, m.QMP.Type(ctx, "Good evening\n"))
	expect(t, m, 20*time.Second, "pressed: Good evening")
	if _, err := dhcp.Lease(m.MAC); err != nil {
		t.Error(err)
	}
	png, err := m.Screenshot(ctx, "hello")
	must(t, err)
	if info, err := os.Stat(png); err != nil || info.Size() < 500 {
		t.Errorf("the picture of the screen is not one: %v, %v", info, err)
	}
	must(t, run.Close())
	left, err := filepath.Glob("/run/netns/" + run.Name + "*")
	must(t, err)
	if _, err := os.Stat(run.Dir); err == nil || len(left) > 0 {
		t.Errorf("left behind: %v, folder %s: %v", left, run.Dir, err)
	}
}

// newRun makes a lab whose logs are kept when the test fails.
func newRun(t *testing.T) (*lab.Run, *lab.Network) {
	t.Helper()
	run, err := lab.NewRun(lab.Options{Label: t.Name()})
	must(t, err)
	stop := run.CloseOnSignal()
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			if dir, err := run.Keep(); err != nil {
				t.Logf("keeping the logs: %v", err)
			} else {
				t.Logf("logs, captures and screens are in %s", dir)
			}
		}
		if err := run.Close(); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	net, err := run.NewNetwork()
	must(t, err)
	return run, net
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, m *lab.Machine, limit time.Duration, pattern string) string {
	t.Helper()
	s, err := m.Console.Expect(t.Context(), limit, pattern)
	if err != nil {
		// The picture tells what the serial line does not.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = m.Screenshot(ctx, "failed-"+m.Name)
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// packages returns the folder that `slipway image fetch` has filled.
func packages(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(lab.Root(), ".cache", "packages")
	if _, err := lab.FindPackage(dir, "linux-image-6"); err != nil {
		t.Fatal(err)
	}
	return dir
}
