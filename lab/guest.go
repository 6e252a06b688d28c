package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Guest is a kernel and an initramfs for a machine that boots directly: the
// machines that run the appliance itself in the tests.
type Guest struct {
	Kernel, Initrd string
}

// guestModules are what such a machine needs to see its disk and the network.
var guestModules = []string{"virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "crc32c_generic", "ext4"}

// BuildGuest makes a guest whose first program is the shell script init (after
// the modules are loaded; /proc, /sys and /dev are there). packages is a folder
// with Debian's kernel and busybox-static packages, as `slipway image fetch`
// fills it. files are added under their paths (without the leading slash), all
// of them executable.
func (r *Run) BuildGuest(name, packages, init string, files map[string]string) (Guest, error) {
	kernel, modules, err := r.unpackKernel(packages)
	if err != nil {
		return Guest{}, err
	}
	a := archive{}
	if err := r.addBusybox(a, packages); err != nil {
		return Guest{}, err
	}
	load, err := addModules(a, modules)
	if err != nil {
		return Guest{}, err
	}
	for name, from := range files {
		if err := a.addFile(name, modeExec, from); err != nil {
			return Guest{}, err
		}
	}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "mnt", "root"} {
		a.add(d, modeDir, nil)
	}
	a.add("init", modeExec, []byte("#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin\n"+
		"mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n"+load+init))
	g := Guest{Kernel: kernel, Initrd: r.Path(name + ".initrd")}
	var b bytes.Buffer
	if err := a.write(&b); err != nil {
		return Guest{}, err
	}
	return g, os.WriteFile(g.Initrd, b.Bytes(), 0o644)
}

// FindPackage returns the one package file in a folder whose name begins so.
func FindPackage(dir, prefix string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, prefix+"*.deb"))
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no package %s*.deb in %s: run `make image`", prefix, dir)
	}
	return names[len(names)-1], nil
}

// unpackKernel unpacks the kernel package and returns the kernel and the folder
// of its modules.
func (r *Run) unpackKernel(packages string) (kernel, modules string, err error) {
	root := r.Path("kernel")
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		deb, err := FindPackage(packages, "linux-image-6")
		if err != nil {
			return "", "", err
		}
		if err := command("dpkg-deb", "-x", deb, root); err != nil {
			return "", "", err
		}
	}
	kernels, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if len(kernels) != 1 {
		return "", "", fmt.Errorf("%d kernels in the kernel package", len(kernels))
	}
	version := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := command("depmod", "-b", root, version); err != nil {
		return "", "", err
	}
	return kernels[0], filepath.Join(root, "lib", "modules", version), nil
}

func (r *Run) addBusybox(a archive, packages string) error {
	deb, err := FindPackage(packages, "busybox-static")
	if err != nil {
		return err
	}
	root := r.Path("busybox")
	if err := command("dpkg-deb", "-x", deb, root); err != nil {
		return err
	}
	return a.addFile("bin/busybox", modeExec, filepath.Join(root, "bin", "busybox"))
}

// addModules adds the modules and what they need, and returns the commands that
// load them in order.
func addModules(a archive, modules string) (load string, err error) {
	dep, err := os.ReadFile(filepath.Join(modules, "modules.dep"))
	if err != nil {
		return "", err
	}
	needs := map[string][]string{} // module path -> itself and what it needs, deepest last
	byName := map[string]string{}
	for line := range strings.Lines(string(dep)) {
		file, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		needs[file] = append([]string{file}, strings.Fields(rest)...)
		byName[strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")] = file
	}
	seen := map[string]bool{}
	for _, m := range guestModules {
		list, ok := needs[byName[m]]
		if !ok {
			return "", fmt.Errorf("the kernel package has no module %s", m)
		}
		for i := len(list) - 1; i >= 0; i-- {
			if seen[list[i]] {
				continue
			}
			seen[list[i]] = true
			to := "modules/" + path.Base(list[i])
			if err := a.addFile(to, modeFile, filepath.Join(modules, list[i])); err != nil {
				return "", err
			}
			load += "insmod /" + to + "\n"
		}
	}
	return load, nil
}
