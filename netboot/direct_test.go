package netboot

import (
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"
)

const directImage = imageID + "/vmlinuz"

// oneFilePolicy answers with the image as one program.
func oneFilePolicy(target Target) func(Client) (*Boot, error) {
	return func(Client) (*Boot, error) {
		return &Boot{Target: target, Kernel: "abc/vmlinuz", OneFile: directImage, Way: WayOneFile}, nil
	}
}

func pxeClient(firmware Firmware) Client {
	return Client{MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}, UUID: "7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b", Arch: ArchX64, Firmware: firmware}
}

func TestDevicePaths(t *testing.T) {
	c := pxeClient(UEFI)
	const want = "device/525400000001_7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b_x64/slipway.efi"
	if got := devicePath(c); got != want {
		t.Errorf("%s", got)
	}
	if url := "http://255.255.255.255:65535/boot/" + want; len(url) > 127 {
		t.Errorf("%d bytes do not fit the file header", len(url))
	}
	for _, uuid := range []string{c.UUID, ""} {
		c.UUID = uuid
		got, ok := clientOfPath(devicePath(c), UEFI)
		if !ok || got.MAC.String() != c.MAC.String() || got.UUID != uuid || got.Arch != ArchX64 || got.Firmware != UEFI {
			t.Errorf("read back: %+v, %t", got, ok)
		}
	}
	for _, bad := range []string{"", "device", "slipway.efi", "device/slipway.efi", "device/525400000001_x64/slipway.efi", "device/525400000001__x64/vmlinuz",
		"device/010000000001__x64/slipway.efi", "device/52540000000g__x64/slipway.efi", "device/525400000001__mips/slipway.efi", "x/device/525400000001__x64/slipway.efi"} {
		if c, ok := clientOfPath(bad, UEFI); ok {
			t.Errorf("%q is of %+v", bad, c)
		}
	}
}

func FuzzDevicePath(f *testing.F) {
	f.Add("device/525400000001_7a5e0d10-1c2d-4e3f-8a4b-5c6d7e8f9a0b_x64/slipway.efi")
	f.Add("device/525400000001__arm64/slipway.efi")
	f.Fuzz(func(t *testing.T, name string) {
		c, ok := clientOfPath(name, UEFI)
		if !ok {
			return
		}
		again, ok := clientOfPath(devicePath(c), UEFI)
		if !ok || again.MAC.String() != c.MAC.String() || again.UUID != c.UUID || again.Arch != c.Arch {
			t.Fatalf("%q: %+v, then %+v", name, c, again)
		}
	})
}

// What firmware is given first, by way and target.
func TestPrograms(t *testing.T) {
	p := &proxy{cfg: &Config{Loaders: loaderNamesOnly{"undionly.kpxe", "snponly.efi"}}}
	device := devicePath(pxeClient(UEFI))
	for _, c := range []struct {
		name   string
		client Client
		boot   Boot
		want   string
	}{
		{"default", pxeClient(UEFI), Boot{Target: TargetImage, OneFile: directImage}, "snponly.efi"},
		{"iPXE", pxeClient(UEFI), Boot{Target: TargetImage, OneFile: directImage, Way: WayIPXE}, "snponly.efi"},
		{"one file", pxeClient(UEFI), Boot{Target: TargetImage, OneFile: directImage, Way: WayOneFile}, device},
		{"one file by HTTP", pxeClient(UEFIHTTP), Boot{Target: TargetImage, OneFile: directImage, Way: WayOneFile}, device},
		{"an image without it shows its message", pxeClient(UEFI), Boot{Target: TargetImage, Message: "none", Way: WayOneFile}, "snponly.efi"},
		{"to the disk", pxeClient(UEFI), Boot{Target: TargetDisk, Way: WayOneFile}, device},
		{"to the disk by iPXE", pxeClient(UEFI), Boot{Target: TargetDisk}, "snponly.efi"},
		{"BIOS", pxeClient(BIOS), Boot{Target: TargetImage, OneFile: directImage, Way: WayOneFile}, "undionly.kpxe"},
	} {
		if got, err := p.program(c.client, &c.boot); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// loaderNamesOnly are loaders that are there and empty.
type loaderNamesOnly []string

func (l loaderNamesOnly) Open(name string) (*File, error) {
	for _, n := range l {
		if n == name {
			return &File{ReadSeekCloser: nopCloser{strings.NewReader("")}}, nil
		}
	}
	return nil, fs.ErrNotExist
}

// HEAD looks, GET decides; a device that is to boot something else is refused.
func TestDeviceOverHTTP(t *testing.T) {
	s := startHTTP(t)
	path := "/boot/" + devicePath(pxeClient(UEFIHTTP))
	s.policy.set(oneFilePolicy(TargetImage))
	if r, _ := s.do("HEAD", path); r.StatusCode != http.StatusOK || r.ContentLength != int64(len(s.kernel)) || r.Header.Get("Content-Type") != "application/efi" {
		t.Errorf("HEAD: %s, %d bytes, %s", r.Status, r.ContentLength, r.Header.Get("Content-Type"))
	}
	if peeks, decides := s.policy.asked(); peeks != 1 || decides != 0 {
		t.Errorf("HEAD asked %d and decided %d times", peeks, decides)
	}
	r, body := s.do("GET", path)
	if r.StatusCode != http.StatusOK || body != string(s.kernel) || strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("GET: %s, %d bytes, cache %q", r.Status, len(body), r.Header.Get("Cache-Control"))
	}
	if _, c := s.policy.first(); c.UUID != pxeClient(UEFI).UUID || c.Firmware != UEFIHTTP || !c.Server.IsValid() || !c.Address.IsValid() {
		t.Errorf("decided for %+v", c)
	}
	s.policy.set(oneFilePolicy(TargetDisk))
	if r, _ := s.do("GET", path); r.StatusCode != http.StatusNotFound {
		t.Errorf("to the disk: %s", r.Status)
	}
	s.policy.set(func(Client) (*Boot, error) { return nil, nil })
	if r, _ := s.do("GET", path); r.StatusCode != http.StatusNotFound {
		t.Errorf("silent: %s", r.Status)
	}
	if r, _ := s.do("GET", "/boot/device/nonsense/slipway.efi"); r.StatusCode != http.StatusNotFound {
		t.Errorf("nonsense: %s", r.Status)
	}
}

// By TFTP the decision falls with the first acknowledgement: the size probe that
// EDK2 begins with consumes nothing.
func TestDeviceOverTFTP(t *testing.T) {
	policy := &fakePolicy{boot: func(Client) (*Boot, error) { return &Boot{Target: TargetImage, OneFile: "snponly.efi"}, nil }}
	f := startTFTP(t, func(c *Config) { c.Policy = policy })
	name := devicePath(pxeClient(UEFI))
	c := newRawClient(t, "127.0.0.1:0")
	c.send("\x00\x01"+name+"\x00octet\x00tsize\x000\x00", f.addr)
	if p := c.receive(patient); !strings.HasPrefix(p, "\x00\x06tsize\x00173792") {
		t.Fatalf("size probe: %q", p)
	}
	if peeks, decides := policy.asked(); peeks != 1 || decides != 0 {
		t.Errorf("the size probe asked %d and decided %d times", peeks, decides)
	}
	got, err := f.get(name)
	if err != nil || string(got) != string(f.loader) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, c := policy.first(); c.UUID != pxeClient(UEFI).UUID || c.Firmware != UEFI || !c.Server.IsValid() {
		t.Errorf("decided for %+v", c)
	}
	policy.set(oneFilePolicy(TargetDisk))
	if _, err := f.get(name); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("to the disk: %v", err)
	}
}

// Without a free slot nothing is sent, so nothing is decided either.
func TestNoSlotConsumesNoDecision(t *testing.T) {
	policy := &fakePolicy{boot: func(Client) (*Boot, error) { return &Boot{Target: TargetImage, OneFile: "snponly.efi"}, nil }}
	f := startTFTP(t, func(c *Config) { c.Policy, c.TFTP.Slots = policy, 1 })
	ask := func(name string) {
		c := newRawClient(t, "127.0.0.1:0")
		c.send("\x00\x01"+name+"\x00octet\x00blksize\x00512\x00", f.addr)
		if p := c.receive(patient); !strings.HasPrefix(p, "\x00\x06") {
			t.Fatalf("%q", p)
		}
		c.send("\x00\x04\x00\x00", c.peer)
	}
	ask("snponly.efi")
	waitFor(t, "the transfer", func() bool { return f.count.tftpActive.Load() == 1 })
	ask(devicePath(pxeClient(UEFI)))
	waitFor(t, "the refusal of the second", func() bool { return f.count.tftpDropped.Load() >= 1 })
	if _, decides := policy.asked(); decides != 0 {
		t.Errorf("decided %d times for a machine that was sent nothing", decides)
	}
}
