package bootimages

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// ExportOptions are this appliance's values in an exported folder.
type ExportOptions struct {
	Servers      []string // address:port; the devices look there last, after DHCP
	Installation string
	Version      string // of this program
}

// exportFile is one file of an exported folder: made here, or copied.
type exportFile struct {
	name    string
	what    string // for the page of instructions
	content []byte
	from    []string // files of this machine, one behind the other
	sum     string
	size    int64
}

// exportDate is the date of all files: the bytes must not depend on when they are
// made.
var exportDate = time.Unix(946684800, 0)

// Export writes an image for servers that are not this appliance, as a tar archive: of a
// Linux image kernel, initrd, the one-file image when there is one, boot loaders with
// their configuration; of a Windows PE image what its boot manager asks for; checksums
// and README.txt. Nothing is written before all files are known to be whole.
func (b *Builder) Export(ctx context.Context, w io.Writer, image fleet.BootImage, o ExportOptions) error {
	if err := checkServers(o.Servers); err != nil {
		return err
	}
	files, err := b.exportFiles(ctx, image, o)
	if err != nil {
		return plain(err, b.Data)
	}
	t := tar.NewWriter(w)
	folders := map[string]bool{}
	for _, f := range files {
		for i, c := range f.name {
			if dir := f.name[:i]; c == '/' && !folders[dir] {
				folders[dir] = true
				if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: exportDate}); err != nil {
					return err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.write(t); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return t.Close()
}

// exportFiles are the files with sizes and hashes, the page of instructions and the
// checksums last.
func (b *Builder) exportFiles(ctx context.Context, image fleet.BootImage, o ExportOptions) (files []exportFile, err error) {
	text := readmeText
	if image.Kind == KindWinPE {
		text = winPEReadme
		files, err = b.winPEExportFiles(image)
	} else {
		files, err = b.linuxExportFiles(ctx, image, o)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b exportFile) int { return strings.Compare(a.name, b.name) })
	for i := range files {
		if err := files[i].measure(); err != nil {
			return nil, fmt.Errorf("%s: %w", files[i].name, err)
		}
	}
	readme := exportFile{name: "README.txt", content: text(image, o, files)}
	if err := readme.measure(); err != nil {
		return nil, err
	}
	files = append(files, readme)
	var sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%s  %s\n", f.sum, f.name)
	}
	list := exportFile{name: "SHA256SUMS", content: []byte(sums.String())}
	err = list.measure()
	return append(files, list), err
}

func (b *Builder) linuxExportFiles(ctx context.Context, image fleet.BootImage, o ExportOptions) ([]exportFile, error) {
	kernel, initrd, err := b.bootFiles(image)
	if err != nil {
		return nil, err
	}
	if _, err := b.haveParts(ctx); err != nil {
		return nil, err
	}
	if _, err := b.EnsureLoaders(ctx, ""); err != nil {
		return nil, err
	}
	site, err := siteArchive(ctx, image, o.Servers)
	if err != nil {
		return nil, err
	}
	part := func(name string) []string { return []string{filepath.Join(b.partsDir(), name)} }
	loader := func(name string) []string { return []string{filepath.Join(b.LoadersDir(), name)} }
	files := []exportFile{
		{name: "vmlinuz", what: "the kernel", from: []string{kernel}},
		{name: "initrd.zst", what: "the initial RAM file system, with the addresses above", from: []string{initrd}, content: site},
		{name: "bootx64.efi", what: "for UEFI: shim, signed by Microsoft, loads grubx64.efi from beside it", from: part("shimx64.efi")},
		{name: "grubx64.efi", what: "for UEFI: GRUB, signed by Debian, reads grub/grub.cfg", from: part("grubnetx64.efi")},
		{name: "grub/grub.cfg", what: "what GRUB starts", content: []byte(exportGrub)},
		{name: "pxelinux.0", what: "for BIOS: PXELINUX, reads pxelinux.cfg/default", from: part("pxelinux.0")},
		{name: "ldlinux.c32", what: "a part of PXELINUX", from: part("ldlinux.c32")},
		{name: "pxelinux.cfg/default", what: "what PXELINUX starts", content: []byte(exportPxelinux)},
		{name: "undionly.kpxe", what: "for BIOS: iPXE, faster where files come by HTTP", from: loader("undionly.kpxe")},
		{name: "snponly.efi", what: "for UEFI without Secure Boot: iPXE", from: loader("snponly.efi")},
		{name: "boot.ipxe", what: "the script for iPXE; lies beside vmlinuz and initrd.zst", content: []byte(exportIPXE)},
	}
	for _, f := range image.Files {
		if f.Name == OneFile {
			files = append(files, exportFile{name: OneFile, what: "kernel and initrd as one UEFI program, without the addresses above",
				from: []string{filepath.Join(b.BootDir(), image.ID, f.Name)}})
		}
	}
	return files, nil
}

// open reads what is copied and then what was made.
func (f exportFile) open() (io.Reader, func(), error) {
	var opened []*os.File
	var all []io.Reader
	closeAll := func() {
		for _, h := range opened {
			h.Close()
		}
	}
	for _, p := range f.from {
		h, err := os.Open(p)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		opened, all = append(opened, h), append(all, h)
	}
	return io.MultiReader(append(all, bytes.NewReader(f.content))...), closeAll, nil
}

// measure finds size and hash.
func (f *exportFile) measure() error {
	r, done, err := f.open()
	if err != nil {
		return err
	}
	defer done()
	h := sha256.New()
	if f.size, err = io.Copy(h, r); err != nil {
		return err
	}
	f.sum = hex.EncodeToString(h.Sum(nil))
	return nil
}

func (f exportFile) write(t *tar.Writer) error {
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: f.size, ModTime: exportDate}); err != nil {
		return err
	}
	r, done, err := f.open()
	if err != nil {
		return err
	}
	defer done()
	n, err := io.Copy(t, io.LimitReader(r, f.size))
	if err == nil && n != f.size {
		err = errors.New("it became shorter while it was read")
	}
	return err
}
