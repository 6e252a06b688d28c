package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// debianPackages make a Debian that starts services and that the provisioning
// script finds what it expects in: about what a Vagrant box holds, plus what the
// script would fetch (the lab has no package source).
var debianPackages = []string{"systemd-sysv", "udev", "dbus", "iproute2", "make", "curl", "ca-certificates"}

const debianSuite = "bookworm"

// Debian returns the path of a disk image with a minimal Debian, made with
// mmdebstrap and kept below cache. It has no kernel: BuildGuest brings that. Use
// it through a copy.
func Debian(cache string) (string, error) {
	key := sha256.Sum256([]byte(debianSuite + strings.Join(debianPackages, " ")))
	image := filepath.Join(cache, "debian-"+hex.EncodeToString(key[:6])+".ext4")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	unlock, err := lockFile(image + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	root, err := os.MkdirTemp("", "slipway-debian-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	args := append([]string{"--variant=minbase", "--mode=root", "--include=" + strings.Join(debianPackages, ","), debianSuite, root + "/root"}, aptSources()...)
	if err := command("mmdebstrap", args...); err != nil {
		return "", err
	}
	if err := MakeExt4(image+".new", 2048, root+"/root"); err != nil {
		return "", errors.Join(err, os.RemoveAll(image+".new"))
	}
	return image, os.Rename(image+".new", image)
}

// aptSources names the machine's own list of Debian sources, so that a mirror is used.
func aptSources() []string {
	for _, f := range []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"} {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 {
			return []string{f}
		}
	}
	return nil
}

// MakeExt4 makes a disk image of some MiB with a file system that holds what is
// in from ("" for an empty one).
func MakeExt4(path string, megabytes int, from string) error {
	args := []string{"-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0"}
	if from != "" {
		args = append(args, "-d", from)
	}
	return command("mke2fs", append(args, path, fmt.Sprintf("%dM", megabytes))...)
}
