package bootimages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/bootimages/internal/pe"
	"slipway/fleet"
)

// OneFile is the image as one UEFI program: kernel, initrd and command line behind
// systemd's stub (a unified kernel image). Firmware loads it by itself, and one
// signature covers all of it.
const OneFile = "slipway.efi"

// oneFileCmdline is the kernel command line baked in: firmware passes none. It names
// no appliance, the agent finds that by DHCP: the file serves any site. The consoles
// are those of bootpolicy; the kernel's tests of its own ciphers cost up to a second
// and protect nothing here.
const oneFileCmdline = "console=tty0 console=ttyS0,115200n8 panic=30 quiet loglevel=3 cryptomgr.notests"

// writeOneFile makes the one-file image of the kernel and initrd in dir.
func writeOneFile(dir string, stub []byte, id, version string) (fleet.ImageFile, error) {
	kernel, err := os.ReadFile(filepath.Join(dir, fastest(dir)))
	if err != nil {
		return fleet.ImageFile{}, err
	}
	initrd, err := os.ReadFile(filepath.Join(dir, "initrd.zst"))
	if err != nil {
		return fleet.ImageFile{}, err
	}
	// The kernel comes last: some stubs start it where it is loaded, and it may
	// unpack itself into what follows.
	program, err := pe.Append(stub, []pe.Section{
		{Name: ".osrel", Content: []byte(osRelease(id, version))},
		{Name: ".cmdline", Content: []byte(oneFileCmdline + " slipway.image=" + id)},
		{Name: ".initrd", Content: initrd},
		{Name: ".linux", Content: kernel},
	})
	if err != nil {
		return fleet.ImageFile{}, fmt.Errorf("one-file image: %w", err)
	}
	path := filepath.Join(dir, OneFile)
	if err := writeFile(path, strings.NewReader(string(program))); err != nil {
		return fleet.ImageFile{}, err
	}
	f := fleet.ImageFile{Name: OneFile}
	f.SHA256, f.Size, err = hashFile(path)
	return f, err
}

// osRelease tells a boot menu what the program is (os-release(5)).
func osRelease(id, version string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("\"\\$`", r) || r > '~' {
			return -1
		}
		return r
	}, version)
	return fmt.Sprintf("ID=slipway\nNAME=\"Slipway\"\nPRETTY_NAME=\"Slipway boot image\"\nVERSION=\"%s\"\nIMAGE_ID=%s\n", clean, id)
}

// addOneFile makes the one-file image where the build has a stub.
func (r *resolved) addOneFile(dir string, files map[string]string, o Options, image *fleet.BootImage, m *meter) error {
	rule, ok := r.recipe.OneFile[o.Architecture]
	if !ok {
		return nil
	}
	deb, ok := files[rule.Package]
	if !ok {
		m.note(fmt.Sprintf("warning: no %s: package %s is not in the packages folder, fetch it with: slipway image fetch", OneFile, rule.Package))
		return nil
	}
	stub, err := fileFromDeb(deb, rule.From)
	if err != nil {
		return fmt.Errorf("package %s: %w", rule.Package, err)
	}
	f, err := writeOneFile(dir, stub, image.ID, o.AgentVersion)
	if errors.Is(err, pe.ErrFormat) {
		return fmt.Errorf("package %s: %w", rule.Package, err)
	}
	if err != nil {
		return err
	}
	image.Files = append(image.Files, f)
	image.Size += f.Size
	return nil
}
