package steps

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/agent/wire"
	"slipway/lab/mounttest"
	"slipway/tasksequence"
)

// streamed is content of one version that is only read as a stream.
type streamed struct {
	*items
	files []wire.ContentFile
	text  map[string][]byte
	fail  error // in the middle of a file
	open  int
}

func (c *streamed) Manifest(context.Context, tasksequence.Reference) (wire.ContentManifest, error) {
	return wire.ContentManifest{Item: "os", Version: 1, Name: "Debian", Files: c.files}, nil
}

func (c *streamed) Open(_ context.Context, _ tasksequence.Reference, path string) (io.ReadCloser, error) {
	text, ok := c.text[path]
	if !ok {
		return nil, fmt.Errorf("%s is not to be read", path)
	}
	c.open++
	var r io.Reader = bytes.NewReader(text)
	if c.fail != nil {
		r = io.MultiReader(bytes.NewReader(text[:len(text)/2]), iotest.ErrReader(c.fail))
	}
	return closer{r, c}, nil
}

type closer struct {
	io.Reader
	c *streamed
}

func (r closer) Close() error {
	r.c.open--
	return nil
}

// deployment is a target disk with content to apply.
type deployment struct {
	t        *testing.T
	content  *streamed
	disks    *disktest.Disks
	vars     *tasksequence.Variables
	lines    *[]string
	progress []int
	ran      []string
}

var targetLayout = disk.Layout{Format: disk.LayoutFormat, Disk: "d", Firmware: disk.BIOS, Table: disk.GPT, SectorSize: 512, Partitions: []disk.Partition{
	{Number: 1, Role: disk.RoleBIOSBoot, Start: 1 << 20, Size: 1 << 20},
	{Number: 2, Role: disk.RoleRoot, Start: 2 << 20, Size: 512 << 20, FS: disk.FSExt4, UUID: "root-uuid"}}}

func newDeployment(t *testing.T, path string, text []byte) *deployment {
	t.Helper()
	d := &deployment{t: t, vars: tasksequence.NewVariables(), disks: disktest.New(t, disk.Disk{ID: "d", Size: 1 << 30}),
		content: &streamed{items: &items{}, files: []wire.ContentFile{{Path: path, Size: int64(len(text))}, {Path: "readme.txt"}}, text: map[string][]byte{path: text}}}
	for name, value := range map[string]string{tasksequence.VariableTargetLayout: targetLayout.Text(), tasksequence.VariableEnvironment: tasksequence.LinuxPE} {
		if err := d.vars.SetSystem(name, tasksequence.Value{Text: value}); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"old": "x", "var/lib/slipway-agent/token": "kept", "lost+found/y": "kept"} {
		full := filepath.Join(d.disks.Root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// Run implements Exec: GRUB's tool is this machine's, working on the target's files.
func (d *deployment) Run(ctx context.Context, c Command) (int, error) {
	args := slices.Clone(c.Args)
	if args[0] == "/usr/bin/env" {
		args = args[1:]
	}
	d.ran = append(d.ran, strings.Join(args, " "))
	switch args[0] {
	case "/usr/bin/grub-mkimage":
		for i := 1; i < len(args); i++ {
			if args[i-1] == "-c" || args[i-1] == "-o" {
				args[i] = filepath.Join(c.Root, args[i])
			}
		}
		return 0, exec.CommandContext(ctx, args[0], args[1:]...).Run()
	case "ssh-keygen":
		if _, err := os.Stat(c.Root + "/proc/self"); err != nil {
			d.t.Errorf("run without the kernel's file systems: %v", err)
		}
		return 0, nil
	case "wimlib-imagex":
		text, err := io.ReadAll(c.Input)
		if string(text) != "MSWIM" || err != nil {
			d.t.Errorf("read %q, %v", text, err)
		}
		return 1, nil
	}
	d.t.Errorf("an unexpected program: %q", args)
	return 127, nil
}

func (d *deployment) apply(settings map[string]any) error {
	d.t.Helper()
	settings["OperatingSystem"] = "os:1"
	s, lines := step(d.t, tasksequence.ApplyOperatingSystem, settings, d.vars)
	s.Machine = Machine{Exec: d, Content: d.content, Disks: d.disks}
	s.Progress = func(percent int, _ string) { d.progress = append(d.progress, percent) }
	d.lines = lines
	_, err := applyOperatingSystem(d.t.Context(), s)
	if d.content.open != 0 {
		d.t.Error("the stream was left open")
	}
	return err
}

// rootFileSystem is a small system that boots by BIOS, as far as can be seen.
func rootFileSystem(t *testing.T, more ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, text []byte) {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))})
		if _, err2 := w.Write(text); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}
	for _, name := range append([]string{"etc/machine-id", "etc/ssh/ssh_host_key", "usr/bin/grub-mkimage", "usr/bin/ssh-keygen"}, more...) {
		add(name, []byte(name))
	}
	for _, name := range []string{"normal.mod", "biosdisk.mod", "ext2.mod", "part_gpt.mod", "search_fs_uuid.mod", "boot.img"} {
		text, err := os.ReadFile("/usr/lib/grub/i386-pc/" + name) // package grub-pc-bin
		if err != nil {
			t.Fatal(err)
		}
		add("usr/lib/grub/i386-pc/"+name, text)
	}
	add("srv/data", bytes.Repeat([]byte("data"), 1<<20))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What does not fit is refused before anything is written, where its size is known. A file
// system that runs full is told whoever noticed it.
func TestAnImageThatDoesNotFit(t *testing.T) {
	d := newDeployment(t, "debian.tar", rootFileSystem(t))
	d.content.files[0].RawSize = 513 << 20
	if err := d.apply(map[string]any{}); err == nil || !strings.Contains(err.Error(), "the image has 537.9 MB unpacked, the target's root has 536.9 MB") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(d.disks.Root, "old")); err != nil {
		t.Errorf("what was there is gone: %v", err)
	}

	const full = "the target's file system is full: the image needs a larger disk or root partition"
	cause := errors.New("the tool ended with exit code 50")
	roomy := t.TempDir()
	if err := whenFull(roomy, cause); err != cause {
		t.Errorf("with room: %v", err)
	}
	if err := whenFull(roomy, fmt.Errorf("write: %w", unix.ENOSPC)); err == nil || !strings.Contains(err.Error(), full) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("by its error: %v", err)
	}
	for name, options := range map[string]string{"no byte": "size=4k", "no inode": "size=1m,nr_inodes=2"} {
		dir, _ := mounttest.Mount(t, "mount", "-t", "tmpfs", "-o", options, "tmpfs")
		if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 4096), 0o600); err != nil {
			t.Error(err)
		}
		if err := whenFull(dir, cause); err == nil || !strings.Contains(err.Error(), full) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApplyRootFileSystem(t *testing.T) {
	d := newDeployment(t, "debian.tar", rootFileSystem(t, "boot/vmlinuz-1", "boot/initrd.img-1"))
	for range 2 { // the second time as after an interruption
		if err := d.apply(map[string]any{"KernelOptions": "quiet", "BootTimeout": 7}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"srv/data": "data", "etc/machine-id": "", "var/lib/slipway-agent/token": "kept", "lost+found/y": "kept",
		"boot/grub/grub.cfg": "timeout=7", "etc/fstab": "UUID=root-uuid / ext4"} {
		text, err := os.ReadFile(filepath.Join(d.disks.Root, name))
		if err != nil || !strings.Contains(string(text), want) || want == "" && len(text) > 0 {
			t.Errorf("%s: %v, %.60q", name, err, text)
		}
	}
	for _, name := range []string{"old", "etc/ssh/ssh_host_key"} {
		if _, err := os.Stat(filepath.Join(d.disks.Root, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if got := d.vars.Text("OSDTargetSystemDrive"); got != d.disks.Root || d.disks.Mounted() != "d" {
		t.Errorf("target %q, mounted %q", got, d.disks.Mounted())
	}
	if !slices.Contains(d.ran, "ssh-keygen -A") || len(d.progress) < 6 || d.progress[len(d.progress)-1] < 90 {
		t.Errorf("ran %q, progress %v", d.ran, d.progress)
	}
	if err := d.disks.Unmount(t.Context()); err != nil {
		t.Fatal(err)
	}
	target, err := d.disks.Open(t.Context(), "d", disk.OpenOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	sector := make([]byte, 512)
	if _, err := target.ReadAt(sector, 0); err != nil || sector[510] != 0x55 || sector[0] != 0xeb {
		t.Errorf("no boot sector: %v, % x", err, sector[:4])
	}
}

func TestApplyFailsClearly(t *testing.T) {
	good := rootFileSystem(t, "boot/vmlinuz-1")
	pulled := errors.New("the appliance is gone")
	tests := []struct {
		name, path string
		text       []byte
		settings   map[string]any
		change     func(d *deployment)
		want       string
		keeps      bool // what was on the disk before
	}{
		{"no kernel", "a.tar", rootFileSystem(t), nil, nil, "holds no kernel", false},
		{"no system", "a.tar", func() []byte { b, _ := emptyTar("x"); return b }(), nil, nil, "no /etc", false},
		{"damaged", "a.tar.zst", good[:len(good)/2], nil, nil, "a.tar.zst", false},
		{"lost", "a.tar", good, nil, func(d *deployment) { d.content.fail = pulled }, pulled.Error(), false},
		{"bad option", "a.tar", good, map[string]any{"KernelOptions": "a;b"}, nil, `"a;b"`, true},
		{"no image", "setup.exe", good, nil, nil, "holds no image", true},
		{"two images", "a.tar", good, nil, func(d *deployment) { d.content.files = append(d.content.files, wire.ContentFile{Path: "b.wim"}) }, "a.tar, b.wim", true},
		{"too large", "a.tar", good, nil, func(d *deployment) { d.content.files[0].RawSize = 1 << 40 }, "root has", true},
		{"no target", "a.tar", good, nil, func(d *deployment) {
			_ = d.vars.SetSystem(tasksequence.VariableTargetLayout, tasksequence.Value{})
		}, "Format disk", true},
		{"disk gone", "a.tar", good, nil, func(d *deployment) {
			d.disks.Fail = func(what, _ string) error { return errors.New(what + ": input/output error") }
		}, "mount the target disk", true},
		{"boot sector cannot be written", "a.tar", good, nil, func(d *deployment) {
			d.disks.Fail = func(what, _ string) error {
				if what == "open" {
					return errors.New("input/output error")
				}
				return nil
			}
		}, "boot loader", false},
		{"WIM tool fails", "a.wim", []byte("MSWIM"), map[string]any{"ImageIndex": 3}, nil, "exit code 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDeployment(t, tt.path, tt.text)
			if tt.change != nil {
				tt.change(d)
			}
			settings := map[string]any{}
			for name, v := range tt.settings {
				settings[name] = v
			}
			if err := d.apply(settings); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(d.disks.Root, "old")); (err == nil) != tt.keeps {
				t.Errorf("what was there: %v", err)
			}
			if _, err := os.Stat(filepath.Join(d.disks.Root, "var/lib/slipway-agent/token")); err != nil {
				t.Error("the agent's state is gone")
			}
			if d.vars.Text("OSDTargetSystemDrive") != "" {
				t.Error("a failed step set the target")
			}
		})
	}
}

func emptyTar(name string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}), w.Close())
	return b.Bytes(), err
}

func TestImagesAreToldByFormAndName(t *testing.T) {
	for _, tt := range []struct {
		files []wire.ContentFile
		path  string
		kind  imageKind
	}{
		{[]wire.ContentFile{{Path: "Root.TAR.ZST"}, {Path: "sums"}}, "Root.TAR.ZST", imageTar},
		{[]wire.ContentFile{{Path: "a.tgz"}}, "a.tgz", imageTar},
		{[]wire.ContentFile{{Path: "a.qcow2"}, {Path: "a.qcow2.holes", Form: wire.FormHoles, Original: "a.qcow2"}}, "a.qcow2.holes", imageRaw},
		{[]wire.ContentFile{{Path: "a.wim"}, {Path: "a.pipe", Form: wire.FormPipableWIM, Original: "a.wim"}}, "a.pipe", imageWIM},
		{[]wire.ContentFile{{Path: "disk.raw.xz"}}, "disk.raw.xz", imageRaw},
		{[]wire.ContentFile{{Path: "a.gz"}, {Path: "a.iso"}}, "", ""},
	} {
		got, err := findImage(wire.ContentManifest{Files: tt.files})
		if got.Path != tt.path || got.kind != tt.kind || (err == nil) != (tt.path != "") {
			t.Errorf("%v: %s %s, %v", tt.files, got.kind, got.Path, err)
		}
	}
}
