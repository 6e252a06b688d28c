package bootimages

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"slipway/bootimages/internal/sevenzip"
	"slipway/images/windows/bcd"
)

// bootFile is a file of the boot manager.
type bootFile struct {
	name    string
	content []byte
}

const maxBootFile = 64 << 20

// findBootFiles reads boot manager, fonts and boot.sdi out of the image, or off the
// disc that it came from.
func (w *winBuild) findBootFiles(ctx context.Context) (out []bootFile, err error) {
	want := []struct {
		name    string
		paths   []string // in the image
		disc    string
		missing string // why it cannot be done without; "": it can
	}{
		{BootManager, []string{"/Windows/Boot/EFI/bootmgfw.efi"}, "efi/boot/" + efiName(w.source.image.Architecture), "UEFI machines could not start it"},
		{BootSDI, []string{"/Windows/Boot/DVD/EFI/boot.sdi", "/Windows/Boot/DVD/PCAT/boot.sdi"}, "boot/boot.sdi", "no boot manager could load the image"},
		{BIOSLoader, []string{"/Windows/Boot/PXE/pxeboot.n12"}, "", ""},
		{BIOSManager, []string{"/Windows/Boot/PXE/bootmgr.exe"}, "", ""},
		{CDLoader, []string{"/Windows/Boot/DVD/PCAT/etfsboot.com"}, "boot/etfsboot.com", ""},
		{CDManager, []string{"/Windows/Boot/PCAT/bootmgr"}, "bootmgr", ""},
	}
	for _, f := range want {
		content, err := w.read(ctx, f.paths, f.disc)
		if err != nil {
			return nil, err
		}
		if content == nil && f.missing != "" {
			return nil, fmt.Errorf("%w: %s is neither in the image (%s) nor on a disc around it, and without it %s: take the Windows ISO as source", ErrOption, f.name, f.paths[0], f.missing)
		}
		if content != nil {
			out = append(out, bootFile{f.name, content})
		}
	}
	if err := checkBootManager(out[0].content, w.source.image.Architecture); err != nil {
		return nil, err
	}
	for _, p := range w.source.below("/Windows/Boot/Fonts", ".ttf") {
		content, err := w.read(ctx, []string{p}, "")
		if err != nil {
			return nil, err
		}
		name := strings.ToLower(p[strings.LastIndex(p, "/")+1:])
		if !wordPattern.MatchString(name) {
			continue
		}
		out = append(out, bootFile{name, content})
	}
	return out, nil
}

// startsBIOSFromCD reports whether the source has what BIOS machines load from a CD.
func (w *winBuild) startsBIOSFromCD() bool {
	has := func(name string) bool {
		return slices.ContainsFunc(w.boot, func(f bootFile) bool { return f.name == name })
	}
	return has(CDLoader) && has(CDManager)
}

// read returns the first of the files that there is, or nil.
func (w *winBuild) read(ctx context.Context, paths []string, disc string) ([]byte, error) {
	out := &limitedBuffer{left: maxBootFile}
	for _, p := range paths {
		if real := w.source.byLower[strings.ToLower(p)]; real != "" {
			err := w.tool.Copy(ctx, out, w.source.wim, w.source.image.Index, real)
			return out.b, err
		}
	}
	if f, ok := sevenzip.Find(w.source.disc, disc); ok && disc != "" {
		err := sevenzip.Copy(ctx, out, w.source.iso, f)
		return out.b, err
	}
	return nil, nil
}

func efiName(arch string) string {
	return map[string]string{X64: "bootx64.efi", ARM64: "bootaa64.efi"}[arch]
}

// checkBootManager sees that it is a UEFI program for the architecture.
func checkBootManager(content []byte, arch string) error {
	f, err := pe.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%w: %s is no program: %w", ErrSourceDamaged, BootManager, err)
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != peMachine(arch) || h.Subsystem != pe.IMAGE_SUBSYSTEM_EFI_APPLICATION && h.Subsystem != 16 { // 16: boot application
		return fmt.Errorf("%w: %s is no UEFI program for %s", ErrSourceDamaged, BootManager, arch)
	}
	return nil
}

func peMachine(arch string) uint16 {
	return map[string]uint16{X64: pe.IMAGE_FILE_MACHINE_AMD64, ARM64: pe.IMAGE_FILE_MACHINE_ARM64}[arch]
}

// writeBootFiles writes the boot manager's files and the stores that name the image.
func (w *winBuild) writeBootFiles(dir string) error {
	files := append([]bootFile{}, w.boot...)
	folder := `\Boot\` + w.id + `\`
	for _, s := range []struct {
		name     string
		firmware bcd.Firmware
		wim, sdi string
	}{{BootStore, bcd.UEFI, folder + BootWIM, folder + BootSDI}, {BIOSStore, bcd.BIOS, folder + BootWIM, folder + BootSDI},
		{MediaStore, bcd.UEFI, `\sources\` + BootWIM, `\boot\` + BootSDI}, {BIOSCDStore, bcd.BIOS, `\sources\` + BootWIM, `\boot\` + BootSDI}} {
		content, err := bootStore(w.id, s.firmware, s.wim, s.sdi)
		if err != nil {
			return err
		}
		files = append(files, bootFile{s.name, content})
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.name), bytes.NewReader(f.content)); err != nil {
			return err
		}
	}
	return nil
}

// bootStore is a store that boots an image from where the boot manager came from.
func bootStore(id string, firmware bcd.Firmware, wimPath, sdiPath string) ([]byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		return nil, fmt.Errorf("%w: image id %q", ErrOption, id)
	}
	return bcd.RAMDiskBoot{Firmware: firmware, Loader: bcd.GUID(raw), Description: "Slipway", WIM: wimPath, SDI: sdiPath, At: stagedTime}.Write()
}
