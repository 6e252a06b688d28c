// Package bootable makes a Linux system that was just put onto the target disk start
// from it: GRUB for the firmware, its configuration, fstab, and an identity of its
// own. GRUB's files come from the system itself; nothing of them is ours.
//
// UEFI: GRUB lies in the folder of the distribution and on the removable path, which
// every firmware finds without a boot entry; the entry is added where the firmware
// takes it. BIOS: GRUB's core lies in the BIOS boot partition, or behind an MBR in
// front of the first partition, and its first stage in the boot sector.
package bootable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Errors of systems that cannot be made to boot.
var (
	ErrNoKernel = errors.New("the image holds no kernel (/boot/vmlinuz-...): install one when the image is built (Debian: linux-image-amd64, Fedora: kernel-core)")
	ErrNoLoader = errors.New("the image holds no boot loader for this firmware")
)

// read reads a file of the system; a missing one is empty.
func read(root *os.Root, name string) (string, error) {
	text, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read /%s: %w", name, err)
	}
	return string(text), nil
}

// write replaces a file of the system. It is a new file: what was there may be a
// link, or have more names.
func write(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	err := root.MkdirAll(path.Dir(name), 0o755)
	if err == nil {
		if err = root.Remove(name); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	var f *os.File
	if err == nil {
		f, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	}
	if err != nil {
		return fmt.Errorf("write /%s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write /%s: %w", name, err)
	}
	return nil
}

// exists reports whether a file or folder is there.
func exists(root *os.Root, name string) bool {
	_, err := root.Stat(name)
	return err == nil
}

// release is what os-release says: the name of the distribution's folder on the EFI
// system partition, and its name for people.
func release(root *os.Root) (id, name string) {
	text, _ := read(root, "etc/os-release")
	if text == "" {
		text, _ = read(root, "usr/lib/os-release") // etc/os-release may be an absolute link
	}
	id, name = "linux", "Linux"
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch {
		case key == "ID" && plainName(value):
			id = value
		case key == "NAME" && value != "" && len(value) <= 60 && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '\'' || r == '$' || r == '\\' }):
			name = value
		}
	}
	return id, name
}

func plainName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
