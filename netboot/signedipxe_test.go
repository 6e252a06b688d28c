package netboot

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signedLayout lies as a release's ipxeboot.tar.gz unpacks (stand-in files).
func signedLayout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"shimx64.efi", "snponly-shim.efi", "ipxe-shim.efi", "snponly.efi", "ipxe.efi"} {
		write(t, filepath.Join(dir, "ipxeboot/x86_64-sb", name), []byte("x64 "+name))
	}
	for _, name := range []string{"shimaa64.efi", "ipxe.efi"} { // unpacked without its links
		write(t, filepath.Join(dir, "ipxeboot/arm64-sb", name), []byte("arm64 "+name))
	}
	write(t, filepath.Join(dir, "snponly.efi"), []byte("unsigned"))
	return dir
}

func TestSignedPrograms(t *testing.T) {
	p := &proxy{cfg: &Config{Loaders: NewDir(signedLayout(t))}}
	arm := pxeClient(UEFI)
	arm.Arch = ArchARM64
	for _, c := range []struct {
		client Client
		boot   Boot
		want   string
	}{
		{pxeClient(UEFI), Boot{Target: TargetImage, Way: WaySigned}, "ipxeboot/x86_64-sb/snponly-shim.efi"},
		{pxeClient(UEFIHTTP), Boot{Target: TargetDisk, Way: WaySigned}, "ipxeboot/x86_64-sb/snponly-shim.efi"},
		{arm, Boot{Target: TargetImage, Way: WaySigned}, "ipxeboot/arm64-sb/shimaa64.efi"},
		{pxeClient(UEFI), Boot{Target: TargetImage}, "snponly.efi"},
	} {
		if got, err := p.program(c.client, &c.boot); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v; want %q", c.client, got, err, c.want)
		}
	}
}

// A real client asks as shim and iPXE do.
func TestSignedByTFTP(t *testing.T) {
	dir := signedLayout(t)
	f := startTFTP(t, func(c *Config) { c.Loaders, c.Advertise = NewDir(dir), grubServer })
	get := func(name string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "curl", "-sS", "tftp://"+f.addr.String()+"/"+name).Output()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return string(out)
	}
	for _, name := range []string{"snponly-shim.efi", "snponly.efi", "shimx64.efi", "ipxe.efi"} {
		if got := get("ipxeboot/x86_64-sb/" + name); got != "x64 "+name {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"ipxeboot/x86_64-sb/autoexec.ipxe", "ipxeboot/arm64-sb/autoexec.ipxe", "autoexec.ipxe"} {
		if got := get(name); !strings.HasPrefix(got, "#!ipxe\n") || !strings.Contains(got, "http://10.77.0.2:8080/boot/script/") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"ipxeboot/x86_64-sb/%2e%2e/secret", "ipxeboot/other/autoexec.ipxe"} {
		if out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--path-as-is", "tftp://"+f.addr.String()+"/"+name).Output(); err == nil {
			t.Errorf("%s: %q", name, out)
		}
	}
}

// The script hands the kernel to its maker's shim: for signed iPXE alone.
func TestSignedScript(t *testing.T) {
	const line = "shim --timeout 30000 http://10.77.0.2:8080/boot/loaders/shimx64.efi ||\n"
	st := site{addr: grubServer, httpPort: 8080}
	for _, c := range []struct {
		way  Way
		fw   Firmware
		want bool
	}{{WaySigned, UEFI, true}, {WaySigned, BIOS, false}, {WayIPXE, UEFI, false}} {
		b := shimBoot()
		b.Way = c.way
		text, err := renderScript(st, "/self", c.fw, b)
		if err != nil || strings.Contains(text, line) != c.want {
			t.Errorf("%s on %s: %v\n%s", c.way, c.fw, err, text)
		}
	}
}
