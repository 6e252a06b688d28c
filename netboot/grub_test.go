package netboot

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var grubServer = netip.MustParseAddr("10.77.0.2")

func shimBoot() Boot {
	return Boot{Target: TargetImage, Way: WayShim, Kernel: imageID + "/vmlinuz", Initrds: []string{imageID + "/initrd.zst"},
		Cmdline: []string{"slipway.server=10.77.0.2:8443", "slipway.lease=" + LoaderAddress, "BOOTIF=01-" + LoaderMAC, "quiet"}}
}

func TestGrubImage(t *testing.T) {
	got, err := renderGrub(grubServer, pxeClient(UEFI), shimBoot())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"if linux '(tftp,10.77.0.2)/boot/" + imageID + "/vmlinuz' 'slipway.server=10.77.0.2:8443' 'slipway.lease='\"${net_default_ip}\" 'BOOTIF=01-52-54-00-00-00-01' 'quiet'; then",
		"if initrd '(tftp,10.77.0.2)/boot/" + imageID + "/initrd.zst'; then",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if disk, err := renderGrub(grubServer, pxeClient(UEFI), Boot{Target: TargetDisk}); err != nil || !strings.HasSuffix(disk, "\nexit\n") || strings.Contains(disk, "linux") {
		t.Errorf("disk: %q, %v", disk, err)
	}
	if none, err := renderGrub(grubServer, pxeClient(UEFI), Boot{Target: TargetImage, Message: "none'; reboot\n"}); err != nil || strings.Contains(none, "\nreboot") || strings.Count(none, "'") != 2 {
		t.Errorf("message: %q, %v", none, err)
	}
	if _, err := renderGrub(grubServer, pxeClient(UEFI), Boot{Target: "tape"}); err == nil {
		t.Error("an unknown target was rendered")
	}
}

// What one argument, path or message holds stays that, or is refused.
func FuzzGrubQuoting(f *testing.F) {
	f.Add("slipway.image=abc", "none built")
	f.Add("a'b", "it's; reboot")
	f.Add("$x\nreboot", "${root}\\")
	f.Fuzz(func(t *testing.T, argument, message string) {
		b := shimBoot()
		b.Cmdline = []string{argument}
		if text, err := renderGrub(grubServer, pxeClient(UEFI), b); err == nil {
			line, _, _ := strings.Cut(strings.TrimPrefix(text, "set slipway_try=1\nif "), "\n")
			if strings.Count(line, "'") != 4 || strings.ContainsAny(argument, "'\"\\\n;`") || !strings.HasSuffix(line, "; then") {
				t.Fatalf("%q became %q", argument, line)
			}
		}
		b = Boot{Target: TargetImage, Message: message}
		if text, err := renderGrub(grubServer, pxeClient(UEFI), b); err != nil || strings.Count(text, "'") != 2 || strings.Count(text, "\n") != 3 {
			t.Fatalf("message %q became %q, %v", message, text, err)
		}
	})
}

func FuzzGrubName(f *testing.F) {
	f.Add("/grub/device/52:54:00:00:00:01_7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b/grub.cfg")
	f.Add("grub/device/52:54:00:00:00:01_/grub.cfg")
	f.Add("grub/device/5254:00000001_/grub.cfg")
	f.Fuzz(func(t *testing.T, name string) {
		if c, ok := grubClient(name); ok && (!usableMAC(c.MAC) || !strings.Contains(strings.ToLower(name), c.MAC.String()+"_"+c.UUID) && c.UUID != "") {
			t.Fatalf("%q is of %+v", name, c)
		}
	})
}

// The whole way by TFTP: what firmware, shim and GRUB ask for in turn. The decision
// falls when GRUB asks, and shim is refused when the disk is to start.
func TestShimByTFTP(t *testing.T) {
	policy := &fakePolicy{}
	dir := t.TempDir()
	for name, content := range map[string]string{"shimx64.efi": "shim", "grubx64.efi": "grub", imageID + "/vmlinuz": "kernel"} {
		write(t, filepath.Join(dir, name), []byte(content))
	}
	f := startTFTP(t, func(c *Config) {
		c.Policy, c.Loaders, c.Images, c.Advertise = policy, NewDir(dir), NewDir(dir), grubServer
	})
	b := shimBoot()
	policy.set(func(Client) (*Boot, error) { return &b, nil })
	folder := deviceFolderOf(pxeClient(UEFI))
	second := "/grub/device/52:54:00:00:00:01_7A5E0D10-1C2D-4E3F-8A4B-5C6D7E8F9A0B/grub.cfg"
	for _, c := range []struct{ name, want string }{
		{folder + "shimx64.efi", "shim"}, {"shimx64.efi", "shim"}, {folder + "grubx64.efi", "grub"}, {"grubx64.efi", "grub"},
		{"/grub/grub.cfg", "source \"(tftp,10.77.0.2)/grub/device/${net_default_mac}_${slipway_uuid}/grub.cfg\""},
	} {
		if got, err := f.get(c.name); err != nil || !bytes.Contains(got, []byte(c.want)) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	if _, decides := policy.asked(); decides != 0 {
		t.Errorf("shim decided %d times", decides)
	}
	if got, err := f.get(second); err != nil || !bytes.Contains(got, []byte("boot/"+imageID+"/vmlinuz")) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := f.get("/boot/" + imageID + "/vmlinuz"); err != nil || string(got) != "kernel" {
		t.Errorf("kernel: %q, %v", got, err)
	}
	if _, decides := policy.asked(); decides != 1 {
		t.Errorf("GRUB decided %d times", decides)
	}
	for _, name := range []string{"/grub/x86_64-efi/command.lst", folder + "revocations_sku.efi", "boot/../outside", "grub/device/52:54:00:00:00:01/grub.cfg", "boot/" + imageID + "/../vmlinuz"} {
		if got, err := f.get(name); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy.set(func(Client) (*Boot, error) { return &Boot{Target: TargetDisk, Way: WayShim}, nil })
	if got, err := f.get(folder + "shimx64.efi"); err == nil {
		t.Errorf("to the disk: %q", got)
	}
	if _, decides := policy.asked(); decides != 2 {
		t.Error("the one-time answer for the disk was not consumed")
	}
	policy.set(func(Client) (*Boot, error) { return nil, nil })
	for _, name := range []string{folder + "shimx64.efi", second} {
		if got, err := f.get(name); err == nil {
			t.Errorf("silent, %s: %q", name, got)
		}
	}
}

// A GRUB that did not come back is told of once.
func TestGrubWatch(t *testing.T) {
	var g grubWatch
	a, b := netip.MustParseAddr("10.77.0.101"), netip.MustParseAddr("10.77.0.102")
	at := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	g.loaded(a, at)
	g.loaded(b, at)
	g.asked(b)
	if lost := g.overdue(at.Add(grubPatience - time.Second)); len(lost) != 0 {
		t.Errorf("too early: %v", lost)
	}
	if lost := g.overdue(at.Add(grubPatience)); len(lost) != 1 || lost[0] != a {
		t.Errorf("lost: %v", lost)
	}
	if lost := g.overdue(at.Add(2 * grubPatience)); len(lost) != 0 {
		t.Errorf("again: %v", lost)
	}
}
