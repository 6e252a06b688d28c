package bootimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/bootimages/internal/fat"
	"slipway/fleet"
)

// The kinds of media. Both are the same hybrid: an ISO 9660 file system that a BIOS
// boots from CD by El Torito and from a stick by the boot code in its first sector,
// and UEFI firmware from either by the FAT file system in it, which the partition
// tables name too. A FAT disk alone would boot no CD, and has no boot code for a
// BIOS without a tool that writes to the stick; this is copied as it is.
const (
	MediaISO = "iso"
	MediaUSB = "usb"
)

// mediaFormat is part of a medium's id, as builderFormat is of an image's.
const mediaFormat = 2

// consoleArguments are on the kernel command line of whatever boots an image without
// the appliance's boot server. The last console= is where the kernel writes.
const consoleArguments = "console=tty0 console=ttyS0,115200n8 panic=30 quiet loglevel=3 cryptomgr.notests"

// ErrNoXorriso: the program that writes ISO file systems is missing.
var ErrNoXorriso = errors.New("xorriso was not found on the appliance's machine, and media cannot be made without it: install the Debian package xorriso (apt-get install xorriso)")

// MediaOptions says what is made of an image.
type MediaOptions struct {
	Kind    string   // iso or usb
	Servers []string // address:port; the devices look there last, after DHCP
}

// MadeMedium is a medium's file, which goes away with Remove.
type MadeMedium struct {
	fleet.Medium
	Path     string
	Firmware string // whose machines start from it, for people
	folder   string
}

// Remove deletes the file.
func (m MadeMedium) Remove() error { return os.RemoveAll(m.folder) }

// Validate checks the options. Errors wrap ErrOption.
func (o MediaOptions) Validate() error {
	if o.Kind != MediaISO && o.Kind != MediaUSB {
		return fmt.Errorf("%w: media of kind %q: use %s or %s", ErrOption, o.Kind, MediaISO, MediaUSB)
	}
	return checkServers(o.Servers)
}

func checkServers(servers []string) error {
	if len(servers) > 16 {
		return fmt.Errorf("%w: %d servers: at most 16", ErrOption, len(servers))
	}
	for _, s := range servers {
		if _, err := netip.ParseAddrPort(s); err != nil {
			return fmt.Errorf("%w: server %q: write it as address:port", ErrOption, s)
		}
	}
	return nil
}

// MakeMedium makes a medium of a built image. The same image, options and loaders
// give the same bytes. It leaves nothing behind when it fails or ctx ends; the
// caller removes the file. One call at a time.
func (b *Builder) MakeMedium(ctx context.Context, image fleet.BootImage, o MediaOptions) (MadeMedium, error) {
	if err := o.Validate(); err != nil {
		return MadeMedium{}, err
	}
	if image.Kind == KindWinPE {
		return b.makeWinPEMedium(ctx, image, o)
	}
	kernel, initrd, err := b.bootFiles(image)
	if err != nil {
		return MadeMedium{}, err
	}
	xorriso, err := exec.LookPath("xorriso")
	if err != nil {
		return MadeMedium{}, ErrNoXorriso
	}
	parts, err := b.haveParts(ctx)
	if err != nil {
		return MadeMedium{}, err
	}
	dir, err := b.tempDir("medium-")
	if err != nil {
		return MadeMedium{}, plain(err, b.Data)
	}
	w := mediumWriter{b: b, dir: dir, xorriso: xorriso, id: mediumID(image, o, parts), image: image, kernel: kernel, initrd: initrd}
	m, err := w.write(ctx, o)
	if err != nil {
		return MadeMedium{}, errors.Join(plain(err, b.Data), os.RemoveAll(dir))
	}
	return m, nil
}

// bootFiles returns the paths of an image's kernel and initrd, after checking that
// all of its files are as they were built.
func (b *Builder) bootFiles(image fleet.BootImage) (kernel, initrd string, err error) {
	if image.Kind != KindLinux || image.Architecture != X64 {
		return "", "", fmt.Errorf("%w: image %s is for %s %s: this version makes media and exports of %s %s images", ErrOption,
			image.ID, image.Kind, image.Architecture, KindLinux, X64)
	}
	for _, f := range image.Files {
		switch {
		case f.Name == "vmlinuz":
			kernel = filepath.Join(b.BootDir(), image.ID, f.Name)
		case strings.HasPrefix(f.Name, "initrd"):
			initrd = filepath.Join(b.BootDir(), image.ID, f.Name)
		}
	}
	if kernel == "" || initrd == "" {
		return "", "", fmt.Errorf("%w: image %s has no kernel or no initrd", ErrCorrupt, image.ID)
	}
	if _, err := Verify(filepath.Join(b.BootDir(), image.ID)); err != nil {
		return "", "", fmt.Errorf("%w: image %s: build it again: %w", ErrCorrupt, image.ID, err)
	}
	return kernel, initrd, nil
}

// mediumID is the first 32 hex digits of the SHA-256 of what goes in.
func mediumID(image fleet.BootImage, o MediaOptions, parts mediaParts) string {
	lines := []string{fmt.Sprintf("media %d", mediaFormat), "kind " + o.Kind, "image " + image.ID}
	for _, s := range o.Servers {
		lines = append(lines, "server "+s)
	}
	for _, f := range append(append([]fleet.ImageFile{}, image.Files...), parts.Files...) {
		lines = append(lines, "file "+f.Name+" sha256:"+f.SHA256)
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	return hex.EncodeToString(sum[:16])
}

// siteArchive writes a second archive for the kernel to unpack over the initrd: the
// image's description with the addresses of the medium. The image's own bytes stay
// as they were built.
func siteArchive(ctx context.Context, image fleet.BootImage, servers []string) ([]byte, error) {
	inside := Inside{Format: 1, ID: image.ID, Kind: image.Kind, Architecture: image.Architecture, AgentVersion: image.AgentVersion,
		Protocol: image.Protocol, Lab: image.Lab, Keyboard: "us", Servers: append([]string{}, servers...)}
	for _, line := range image.Inputs {
		if k, ok := strings.CutPrefix(line, "keyboard "); ok {
			inside.Keyboard = k
		}
	}
	text, err := json.MarshalIndent(inside, "", "  ")
	if err != nil {
		return nil, err
	}
	t := tree{}
	if err := t.bytes("etc/slipway/image.json", 0o644, append(text, '\n')); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = compressAll(ctx, &out, []tree{t}, func(int64, int64) {})
	return out.Bytes(), err
}

// mediumWriter writes one medium in a folder of its own.
type mediumWriter struct {
	b              *Builder
	dir, xorriso   string
	id             string
	image          fleet.BootImage
	kernel, initrd string
}

func (w mediumWriter) write(ctx context.Context, o MediaOptions) (MadeMedium, error) {
	m := MadeMedium{folder: w.dir, Path: filepath.Join(w.dir, "medium"), Firmware: "UEFI and BIOS", Medium: fleet.Medium{ID: w.id, Kind: o.Kind, Image: w.image.ID,
		CASet: w.image.CASet, Servers: o.Servers}}
	if err := w.room(); err != nil {
		return m, err
	}
	files, err := w.stage(ctx, o)
	if err != nil {
		return m, err
	}
	if err := w.run(ctx, m.Path, files); err != nil {
		return m, err
	}
	m.SHA256, m.Size, err = hashFile(m.Path)
	return m, err
}

// room refuses before anything is written when the disk cannot hold the medium.
func (w mediumWriter) room() error {
	need := int64(16 << 20) // loaders twice, and what the file system adds
	for _, p := range []string{w.kernel, w.initrd} {
		info, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("%w: image %s: %w", ErrCorrupt, w.image.ID, err)
		}
		need += info.Size()
	}
	var s unix.Statfs_t
	if err := unix.Statfs(w.dir, &s); err != nil {
		return err
	}
	if int64(s.Bavail)*s.Bsize < need {
		return fmt.Errorf("%w that holds %s: a medium takes %d MB while it is made", ErrNoSpace, w.b.Data, need/1e6)
	}
	return nil
}

// stage writes what is made for this medium and returns all of its files: path on
// the medium, path here.
func (w mediumWriter) stage(ctx context.Context, o MediaOptions) (map[string]string, error) {
	site, err := siteArchive(ctx, w.image, o.Servers)
	if err != nil {
		return nil, err
	}
	efi, err := w.efiPartition()
	if err != nil {
		return nil, err
	}
	part := func(name string) string { return filepath.Join(w.b.partsDir(), name) }
	files := map[string]string{"boot/vmlinuz": w.kernel, "boot/initrd.zst": w.initrd,
		"isolinux/isolinux.bin": part("isolinux.bin"), "isolinux/ldlinux.c32": part("ldlinux.c32")}
	for name, content := range map[string][]byte{
		"boot/site.zst":         site,
		"boot/efi.img":          efi,
		"boot/grub/grub.cfg":    []byte(w.grubConfig()),
		"isolinux/isolinux.cfg": []byte(w.isolinuxConfig()),
		".disk/info":            []byte("Slipway medium " + w.id + " of boot image " + w.image.ID + "\n"),
		"slipway/" + w.id:       []byte(w.image.ID + "\n"),
	} {
		from := filepath.Join(w.dir, strings.ReplaceAll(name, "/", "-"))
		if err := writeFile(from, bytes.NewReader(content)); err != nil {
			return nil, err
		}
		files[name] = from
	}
	return files, nil
}

// efiPartition is the FAT file system with Debian's signed shim and GRUB: with them
// the medium boots whether Secure Boot is on or off.
func (w mediumWriter) efiPartition() ([]byte, error) {
	var files []fat.File
	for name, part := range map[string]string{"EFI/BOOT/BOOTX64.EFI": "shimx64.efi", "EFI/BOOT/GRUBX64.EFI": "gcdx64.efi"} {
		content, err := os.ReadFile(filepath.Join(w.b.partsDir(), part))
		if err != nil {
			return nil, err
		}
		files = append(files, fat.File{Path: name, Content: content})
	}
	var out bytes.Buffer
	err := fat.Write(&out, "SLIPWAY", w.serial(), files)
	return out.Bytes(), err
}

func (w mediumWriter) serial() uint32 {
	raw, err := hex.DecodeString(w.id)
	if err != nil || len(raw) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(raw)
}

// grubConfig is read by the signed GRUB, which comes to it by /.disk/info. Another
// disc in the machine may have that too: the medium is found by its own id.
func (w mediumWriter) grubConfig() string {
	return "search --no-floppy --file --set=root /slipway/" + w.id + `
set timeout=0
set timeout_style=hidden
menuentry "Slipway" {
  linux /boot/vmlinuz ` + w.arguments() + `
  initrd /boot/initrd.zst /boot/site.zst
}
`
}

func (w mediumWriter) isolinuxConfig() string {
	return "default slipway\nprompt 0\nlabel slipway\n  kernel /boot/vmlinuz\n" +
		"  append initrd=/boot/initrd.zst,/boot/site.zst " + w.arguments() + "\n"
}

// arguments tell the agent from which medium it was started: it never touches that.
func (w mediumWriter) arguments() string { return consoleArguments + " slipway.medium=" + w.id }

// mediaDate is the date of all files, and mediaTime the same as xorriso wants it for
// the volume: the bytes must not depend on when they are made.
const (
	mediaDate = "=946684800" // 2000-01-01, in seconds of Unix time
	mediaTime = "2000010100000000"
)

// run lets xorriso write the medium.
func (w mediumWriter) run(ctx context.Context, out string, files map[string]string) error {
	args := []string{"-r", "-isohybrid-mbr", filepath.Join(w.b.partsDir(), "isohdpfx.bin"), "-partition_offset", "16",
		"-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-boot-load-size", "4", "-boot-info-table", "-no-emul-boot",
		"-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat", "-graft-points"}
	for _, name := range sortedKeys(files) {
		args = append(args, name+"="+escapeGraft(files[name]))
	}
	return runXorriso(ctx, w.xorriso, w.b.Data, w.id, out, args...)
}

// runXorriso writes a medium whose bytes depend on id and files alone.
func runXorriso(ctx context.Context, xorriso, data, id, out string, args ...string) error {
	guid := id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-8" + id[17:20] + "-" + id[20:]
	args = append([]string{"-no_rc", "-as", "mkisofs", "-quiet", "-V", "SLIPWAY", "-o", out,
		"--modification-date=" + mediaTime, "--set_all_file_dates", mediaDate, "--gpt_disk_guid", guid}, args...)
	cmd := exec.CommandContext(ctx, xorriso, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	text, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if bytes.Contains(text, []byte("No space left")) || bytes.Contains(text, []byte("not enough space")) {
			return fmt.Errorf("%w that holds %s", ErrNoSpace, data)
		}
		return fmt.Errorf("xorriso: %w: %s", err, lastLines(string(text), 3))
	}
	return nil
}

// escapeGraft protects the characters that mean something in mkisofs' "to=from".
func escapeGraft(p string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`).Replace(p)
}

func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
