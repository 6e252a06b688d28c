package main

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/appliance/internal/dhcpoptions"
	"slipway/bootimages"
	"slipway/bootimages/bootimagetest"
)

// efiProgram is the head of a UEFI program.
func efiProgram(t *testing.T, machine uint16, signed bool) []byte {
	t.Helper()
	var b bytes.Buffer
	head := make([]byte, 0x40)
	copy(head, "MZ")
	head[0x3c] = 0x40
	b.Write(head)
	b.WriteString("PE\x00\x00")
	o := pe.OptionalHeader64{Magic: 0x20b, NumberOfRvaAndSizes: 16}
	if signed {
		o.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY] = pe.DataDirectory{VirtualAddress: 0x200, Size: 64}
	}
	if err := errors.Join(binary.Write(&b, binary.LittleEndian, pe.FileHeader{Machine: machine, SizeOfOptionalHeader: uint16(binary.Size(o))}), binary.Write(&b, binary.LittleEndian, o)); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), make([]byte, 0x200)...)
}

// dropped is a data folder, without an appliance, with files of signed iPXE.
func dropped(t *testing.T, way string, files map[string][]byte) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{t: t, config: filepath.Join(dir, "slipway.yaml")}
	put(t, r.config, []byte("data: "+filepath.Join(dir, "data")+"\nboot: {uefi: "+way+"}\n"), 0o600)
	for name, data := range files {
		file := filepath.Join(dir, "data", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, file, data, 0o644)
	}
	return r
}

// TestLoadersAreListed with what they are, what is missing of a pair, and what is given.
func TestLoadersAreListed(t *testing.T) {
	const amd = pe.IMAGE_FILE_MACHINE_AMD64
	r := dropped(t, "ipxe", map[string][]byte{
		"boot/loaders/undionly.kpxe":             []byte("x"),
		"ipxeboot/x86_64-sb/ipxe-shim.efi":       efiProgram(t, amd, true),
		"ipxeboot/x86_64-sb/ipxe.efi":            efiProgram(t, amd, true),
		"ipxeboot/x86_64-sb/snponly.efi":         efiProgram(t, amd, false),
		"ipxeboot/x86_64-sb/README":              []byte("read me"),
		"ipxeboot/arm64-sb/snponly-shim.efi":     efiProgram(t, amd, true),
		"ipxeboot/arm64-sb/\x1b[31mevil\nit.efi": []byte("MZ"),
	})
	out := r.must("", "image", "loaders")
	var lines []string
	for line := range strings.Lines(out) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	got := "\n" + strings.Join(lines, "\n") + "\n"
	for _, want := range []string{
		"\nboot/loaders/undionly.kpxe 1 B no iPXE for BIOS\n",
		"\nboot/loaders/snponly.efi missing - iPXE for UEFI, x64\n",
		"\nipxeboot/x86_64-sb/ipxe-shim.efi 840 B yes iPXE's shim for UEFI, x64: starts ipxe.efi\n",
		"\nipxeboot/x86_64-sb/snponly-shim.efi missing - iPXE's shim for UEFI, x64: starts snponly.efi\n",
		"\nipxeboot/x86_64-sb/snponly.efi 840 B no iPXE for UEFI, x64\n",
		"\nipxeboot/x86_64-sb/README 7 B no not used\n",
		"\nipxeboot/arm64-sb/snponly-shim.efi 840 B yes iPXE's shim for UEFI, arm64: starts snponly.efi: a program for another kind of machine, not arm64\n",
		"not used: no UEFI program\n",
		"\nsigned-ipxe gives x64 ipxe-shim.efi, which starts ipxe.efi.\n",
		"\nsigned-ipxe gives arm64 nothing: no pair is whole, such machines get unsigned iPXE.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.ContainsAny(out, "\x1b") {
		t.Errorf("a name reaches the terminal as it is: %q", out)
	}
	var list struct {
		Loaders []loader
		Given   map[string][]string
	}
	if err := json.Unmarshal([]byte(r.must("", "image", "loaders", "--json")), &list); err != nil || len(list.Given) != 1 || list.Given["x64"][0] != "ipxeboot/x86_64-sb/ipxe-shim.efi" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDHCPOptionsFollowTheWay that is configured, and say what another DHCP server cannot do.
func TestDHCPOptionsFollowTheWay(t *testing.T) {
	pair := map[string][]byte{"ipxeboot/x86_64-sb/snponly-shim.efi": []byte("x"), "ipxeboot/x86_64-sb/snponly.efi": []byte("x")}
	const signed = "ipxeboot/x86_64-sb/snponly-shim.efi"
	for name, tt := range map[string]struct {
		way          string
		files        map[string][]byte
		want, not    []string
		note, noNote string
	}{
		"ipxe":     {"ipxe", pair, []string{"snponly.efi", "/boot/loaders/snponly.efi"}, []string{"shimx64.efi", signed}, "", "Note"},
		"shim":     {"shim", pair, []string{"shimx64.efi", "snponly-arm64.efi"}, []string{"/boot/loaders/snponly.efi", "/boot/loaders/shimx64.efi", signed}, "UEFI HTTP Boot of them is left out", ""},
		"one-file": {"one-file", pair, []string{"snponly.efi"}, []string{"slipway.efi"}, "boot.uefi is one-file", ""},
		"signed":   {"signed-ipxe", pair, []string{signed, "http://192.0.2.1:8080/boot/" + signed, "snponly-arm64.efi"}, []string{"shimx64.efi", "/boot/loaders/snponly.efi"}, "no whole pair of signed files for arm64", "for x64"},
		"half":     {"signed-ipxe", map[string][]byte{signed: []byte("x")}, []string{"/boot/loaders/snponly.efi"}, []string{signed}, "no whole pair of signed files for x64", ""},
	} {
		for _, server := range dhcpoptions.Servers() {
			r := dropped(t, tt.way, tt.files)
			code, out, notes := r.cli("", "dhcp-options", "--server", server, "--address", "192.0.2.1")
			if code != 0 || !strings.Contains(notes, tt.note) || tt.noNote != "" && strings.Contains(notes, tt.noNote) {
				t.Errorf("%s, %s: %d %q", name, server, code, notes)
			}
			for _, w := range append(tt.want, "undionly.kpxe") {
				if !strings.Contains(out, w) {
					t.Errorf("%s, %s: no %q in %s", name, server, w, out)
				}
			}
			for _, n := range tt.not {
				if strings.Contains(out, n) {
					t.Errorf("%s, %s: %q in %s", name, server, n, out)
				}
			}
		}
	}
}

// TestALostLoaderIsToldInTheConsole: what the configured way needs, and the files of the
// image that is served.
func TestALostLoaderIsToldInTheConsole(t *testing.T) {
	dir, packages := t.TempDir(), t.TempDir()
	if err := errors.Join(bootimagetest.WritePackages(packages, "6.9-1"), os.Mkdir(filepath.Join(dir, "bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "bin", "slipway-agent"), bootimagetest.Program(false), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // where the agent is looked for
	r := startWith(t, dir, "boot: {uefi: shim}\n")
	r.must("a long password\n", "account", "add", "anna", "--role", "administrator")
	r.must("", "image", "build", "linux", "--packages", packages)
	b := openBrowser(t, "https://"+r.https)
	b.open("/login")
	b.fill("input[name=name]", "anna")
	b.fill("input[name=password]", "a long password\r")
	b.until("Needs attention")
	boot := filepath.Join(dir, "data", "boot")
	parts := filepath.Join(boot, bootimages.PartsFolder)
	shim, grub := filepath.Join(parts, "shimx64.efi"), filepath.Join(parts, "grubnetx64.efi")
	if err := errors.Join(os.MkdirAll(parts, 0o755), os.WriteFile(shim, []byte("x"), 0o644), os.WriteFile(grub, []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.until("iPXE for BIOS and UEFI, what shim needs: served over TFTP and HTTP")
	b.until("Serving ")
	if err := os.Remove(grub); err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.until("UEFI firmware boots by shim: Debian's signed grubx64.efi is missing, machines get iPXE, which Secure Boot refuses.")
	files, err := filepath.Glob(filepath.Join(boot, "*", "vmlinuz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Truncate(files[0], 3); err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.until("vmlinuz of " + filepath.Base(filepath.Dir(files[0]))[:12] + " is missing or damaged.")
	b.until("Build the boot image again")
	r.stop()
}
