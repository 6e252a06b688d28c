package steps_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
	"slipway/agent/wire"
	"slipway/lab/mounttest"
	"slipway/tasksequence"
)

// systemTree is a root file system that can make itself boot: GRUB's own tool with the
// libraries it needs, a kernel by name, and what is easily lost on the way.
func systemTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put := func(name string, data []byte, mode fs.FileMode) {
		full := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, data, mode), os.Chmod(full, mode)); err != nil {
			t.Fatal(err)
		}
	}
	take := func(name string) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		put(name, data, 0o755)
	}
	for _, program := range []string{"/usr/bin/env", "/usr/bin/grub-mkimage"} {
		take(program)
		out, err := exec.Command("ldd", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, library := range regexp.MustCompile(`/\S+\.so\S*`).FindAllString(string(out), -1) {
			take(library)
		}
	}
	modules, err := filepath.Glob("/usr/lib/grub/i386-pc/*")
	if err != nil || len(modules) == 0 {
		t.Fatalf("package grub-pc-bin: %v", err)
	}
	for _, m := range modules {
		take(m)
	}
	put("etc/os-release", []byte("ID=debian\nNAME=\"Debian GNU/Linux\"\n"), 0o644)
	put("etc/machine-id", []byte("0123456789abcdef0123456789abcdef\n"), 0o444)
	put("boot/vmlinuz-6.1.0", bytes.Repeat([]byte("kernel"), 100_000), 0o644)
	put("boot/initrd.img-6.1.0", bytes.Repeat([]byte("initrd"), 100_000), 0o600)
	put("usr/bin/setuid", []byte("#!/bin/sh\n"), 0o755|fs.ModeSetuid)
	put("srv/sparse", make([]byte, 3*mib), 0o640)
	link, owned := filepath.Join(root, "srv/link"), filepath.Join(root, "srv/sparse")
	err = errors.Join(os.Symlink("sparse", link), os.Link(owned, filepath.Join(root, "srv/second")), os.Chown(owned, 1000, 1001))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// tarOf packs a folder by the system's own tar.
func tarOf(t *testing.T, root string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("sh", "-c", "tar --numeric-owner -C "+root+" -cf - . | zstd -q -3")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return out.Bytes()
}

// wimOf packs a folder by wimlib, so that it can be read from a pipe.
func wimOf(t *testing.T, root string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "system.wim")
	if out, err := exec.Command("wimlib-imagex", "capture", root, file, "--unix-data", "--pipable", "--compress=fast").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A WIM and a root file system go from the appliance onto a disk of the kernel that
// Format disk laid out, and are made to boot by the GRUB they bring.
func TestSystemsReachARealDisk(t *testing.T) {
	tree := systemTree(t)
	r := newReal(t, t.TempDir(), 700*mib)
	r.item("tar", "root.tar.zst", tarOf(t, tree), nil)
	r.item("wim", "root.pipable", wimOf(t, tree), func(f *wire.ContentFile) { f.Form, f.Original = wire.FormPipableWIM, "root.wim" })
	for _, item := range []string{"wim", "tar"} {
		r.must(r.run(tasksequence.FormatDisk, map[string]any{"PartitionTable": "gpt"}))
		if err := r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": item + ":1"}); err != nil {
			t.Fatalf("%s: %v\n%s", item, err, strings.Join(r.log, "\n"))
		}
		l := r.found(item)
		r.must(r.linux.Unmount(t.Context()))
		root, _ := l.Find(disk.RoleRoot)
		device, err := r.linux.Device(t.Context(), l, root.Number)
		r.must(err)
		r.tool("e2fsck", "-fn", device)
		r.compare(item, device, tree, root)
		first := make([]byte, 2*mib)
		f, err := os.Open(r.file)
		r.must(err)
		_, err = f.ReadAt(first, 0)
		r.must(errors.Join(err, f.Close()))
		if first[0] != 0xeb || first[510] != 0x55 || !bytes.Contains(first[mib:], []byte("GRUB")) && first[mib] != 0x52 {
			t.Errorf("%s: there is no GRUB for BIOS on the disk", item)
		}
	}
}

// compare holds what lies on the root against the tree that was packed.
func (r *real) compare(item, device, tree string, root disk.Partition) {
	r.t.Helper()
	at, unmount := mounttest.Mount(r.t, "mount", "-t", "ext4", "-o", "ro", device)
	defer unmount()
	seen := 0
	err := filepath.WalkDir(tree, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, tree)
		if err != nil || name == "" || name == "/etc/machine-id" { // the system's own afterwards
			return err
		}
		seen++
		var want, got unix.Stat_t
		if err := errors.Join(unix.Lstat(path, &want), unix.Lstat(at+name, &got)); err != nil {
			return err
		}
		if want.Mode != got.Mode || want.Uid != got.Uid || want.Gid != got.Gid || !e.IsDir() && want.Nlink != got.Nlink {
			r.t.Errorf("%s: %s: mode %o, owner %d:%d, %d names; want %o, %d:%d, %d", item, name, got.Mode, got.Uid, got.Gid, got.Nlink, want.Mode, want.Uid, want.Gid, want.Nlink)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		a, err1 := os.ReadFile(path)
		b, err2 := os.ReadFile(at + name)
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
			r.t.Errorf("%s: %s is not what was packed: %v", item, name, err)
		}
		return nil
	})
	if err != nil || seen < 100 {
		r.t.Errorf("%s: %d entries, %v", item, seen, err)
	}
	if to, err := os.Readlink(at + "/srv/link"); err != nil || to != "sparse" {
		r.t.Errorf("%s: the link leads to %q, %v", item, to, err)
	}
	for name, want := range map[string]string{"/etc/fstab": "UUID=" + root.UUID + " / ext4", "/boot/grub/grub.cfg": "/boot/vmlinuz-6.1.0 root=UUID=" + root.UUID, "/etc/machine-id": ""} {
		text, err := os.ReadFile(at + name)
		if err != nil || !strings.Contains(string(text), want) || want == "" && len(text) > 0 {
			r.t.Errorf("%s: %s: %v, %q", item, name, err, text)
		}
	}
}

// A root file system that does not fit is refused where that is seen.
func TestASystemThatDoesNotFit(t *testing.T) {
	r := newReal(t, t.TempDir(), 700*mib)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	r.must(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/large", Mode: 0o644, Size: 720 * mib}))
	_, err := w.Write(make([]byte, 4*mib))
	r.must(err)
	r.item("os", "root.tar.zst", zstdOf(t, b.Bytes()), nil)
	r.must(r.run(tasksequence.FormatDisk, map[string]any{"PartitionTable": "gpt"}))
	err = r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "os:1"})
	if err == nil || !strings.Contains(err.Error(), `"etc/large": it has 754974720 bytes, but there is room for `) {
		t.Errorf("got %v", err)
	}
}

// A target that runs full while a system is put onto it says so and what to do, and
// takes one that fits afterwards.
func TestATargetThatRunsFull(t *testing.T) {
	r := newReal(t, t.TempDir(), 600*mib)
	small := systemTree(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 35_000 { // each fits, all of them do not
		r.must(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("etc/many/%d", i), Mode: 0o644}))
	}
	r.must(w.Close())
	large := t.TempDir()
	for i := range 14 {
		data := make([]byte, 40*mib)
		data[0] = byte(i) // no two are one file to wimlib
		r.must(os.WriteFile(filepath.Join(large, fmt.Sprint(i)), data, 0o644))
	}
	r.item("many", "root.tar.zst", zstdOf(t, b.Bytes()), nil)
	r.item("large", "root.pipable", wimOf(t, large), func(f *wire.ContentFile) { f.Form, f.Original = wire.FormPipableWIM, "root.wim" })
	r.item("small", "root.tar.zst", tarOf(t, small), nil)
	r.must(r.run(tasksequence.FormatDisk, map[string]any{"PartitionTable": "gpt", "Layout": "custom", "Partitions": "biosboot 1\nroot 512"}))
	for _, item := range []string{"many", "large"} {
		err := r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": item + ":1"})
		if err == nil || !strings.Contains(err.Error(), "the target's file system is full: the image needs a larger disk or root partition") {
			t.Errorf("%s: %v", item, err)
		}
	}
	r.must(r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "small:1"}))
	r.must(r.linux.Unmount(t.Context()))
	root, _ := r.found("small").Find(disk.RoleRoot)
	device, err := r.linux.Device(t.Context(), r.found("small"), root.Number)
	r.must(err)
	r.compare("small", device, small, root)
}
