package steps_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/agent/internal/appliancetest"
	"slipway/agent/internal/client"
	"slipway/agent/internal/content"
	"slipway/agent/internal/disk"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/lab/mounttest"
	"slipway/tasksequence"
)

const mib = 1 << 20

const shipped = "esp 64\ndata rest fs=ext4"

// real is a disk of the kernel (a loop device), an appliance with content, and the
// executors between them.
type real struct {
	cloud   steps.Clouds
	join    steps.Joins
	t       *testing.T
	file    string // that the disk consists of
	disk    disk.Disk
	linux   *disk.Linux
	shelf   *appliancetest.Shelf
	content *content.Source
	vars    *tasksequence.Variables
	efi     string // folder that stands for the firmware's variables
	log     []string
	message string // of the last step
	agent   steps.Agent
	esp     string // folder that stands for the EFI system partition of a Windows
}

// only shows one of the machine's disks: no test may choose another. esp is a folder in
// place of the EFI system partition of a layout for Windows: not every kernel that tests
// run on mounts FAT, the machines of the lab do.
type only struct {
	disk.Disks
	id, esp string
}

func (o only) Mount(ctx context.Context, l disk.Layout) (string, error) {
	if _, windows := l.Find(disk.RoleWindows); windows {
		return o.esp, nil
	}
	return o.Disks.Mount(ctx, l)
}

func (o only) List(ctx context.Context) ([]disk.Disk, error) {
	list, err := o.Disks.List(ctx)
	for _, d := range list {
		if d.ID == o.id {
			d.Bus = disk.BusSCSI // of those that an index counts
			return []disk.Disk{d}, err
		}
	}
	return nil, err
}

// newReal makes a disk in a file below dir.
func newReal(t *testing.T, dir string, size int64) *real {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("loop devices need root")
	}
	r := &real{t: t, file: filepath.Join(dir, "disk"), shelf: &appliancetest.Shelf{Dir: t.TempDir()}, vars: tasksequence.NewVariables(), efi: t.TempDir(), esp: t.TempDir()}
	r.must(os.WriteFile(r.file, bytes.Repeat([]byte{0xee}, mib), 0o600)) // what was there before
	r.must(os.Truncate(r.file, size))
	path := r.tool("losetup", "--find", "--show", "--partscan", r.file)
	r.linux = &disk.Linux{Loop: true, Target: mounttest.Point(t), Run: func(ctx context.Context, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		return string(out), err
	}}
	t.Cleanup(func() {
		if err := r.linux.Unmount(context.Background()); err != nil {
			t.Error(err)
		}
		r.tool("losetup", "--detach", path)
	})
	list, err := r.linux.List(t.Context())
	r.must(err)
	for _, d := range list {
		if d.Path == path {
			r.disk = d
		}
	}
	if r.disk.Size != size {
		t.Fatalf("the disk is %+v", r.disk)
	}
	a, err := appliancetest.Start(nil)
	r.must(err)
	t.Cleanup(a.Close)
	a.Content = r.shelf
	c := client.New(client.Options{Address: a.Address, Installation: appliancetest.Installation, Roots: a.Pool()})
	t.Cleanup(c.Close)
	r.content = &content.Source{API: c, Deployment: "d"}
	return r
}

func (r *real) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) tool(args ...string) string {
	r.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// item puts one file on the appliance.
func (r *real) item(name, path string, data []byte, change func(*wire.ContentFile)) {
	r.t.Helper()
	full := filepath.Join(r.shelf.Dir, name, path)
	r.must(os.MkdirAll(filepath.Dir(full), 0o755))
	r.must(os.WriteFile(full, data, 0o644))
	r.must(r.shelf.Add(name, change, path))
}

// run runs a step through its executor.
func (r *real) run(definition string, settings map[string]any) error {
	r.t.Helper()
	s, log := steps.StepOf(r.t, definition, settings, r.vars)
	s.Machine.Disks, s.Machine.Content, s.Key = only{r.linux, r.disk.ID, r.esp}, r.content, "deployment/"+definition
	s.Machine.Exec, s.Machine.EFIVariables = steps.LinuxExec{}, r.efi
	s.Machine.Agent, s.Machine.Cloud, s.Machine.DomainJoin = r.agent, &r.cloud, &r.join
	out, err := steps.Executors()[definition](r.t.Context(), s)
	r.log, r.message = *log, out.Message
	return err
}

// diskImage is a small disk image as makers ship them: a GPT with partitions, an EFI
// system partition and an ext4 with a file, much of it empty.
func diskImage(t *testing.T, size int64, partitions string) (data []byte, l disk.Layout) {
	t.Helper()
	wants, err := disk.ParseWants(partitions)
	if err != nil {
		t.Fatal(err)
	}
	l, err = disk.Plan(disk.Spec{Layout: disk.LayoutCustom, Firmware: disk.UEFI, Wants: wants}, disk.Geometry{Size: size, SectorSize: 512})
	if err != nil {
		t.Fatal(err)
	}
	l.Identify("image", "image")
	file, files := filepath.Join(t.TempDir(), "image"), t.TempDir()
	seed := bytes.Repeat([]byte("what the image brings\n"), 100_000)
	run := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	f, err := os.Create(file)
	err = errors.Join(err, f.Truncate(size), disk.WriteTable(f, f, l, size), f.Close(), os.WriteFile(filepath.Join(files, "data"), seed, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range l.Partitions {
		switch p.FS {
		case disk.FSVFAT:
			run("mkfs.vfat", "-F", "16", "--offset", fmt.Sprint(p.Start/512), file, fmt.Sprint(p.Size/1024))
			at := fmt.Sprintf("%s@@%d", file, p.Start)
			run("mmd", "-i", at, "::/efi", "::/efi/boot")
			run("mcopy", "-i", at, filepath.Join(files, "data"), "::/efi/boot/bootx64.efi")
		case disk.FSExt4:
			run("mke2fs", "-q", "-F", "-t", "ext4", "-d", files, "-E", fmt.Sprintf("offset=%d", p.Start), file, fmt.Sprintf("%dk", p.Size/1024))
		}
	}
	if data, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	return data, l
}

// holds compares the partitions of an image with what the disk's file holds.
func (r *real) holds(what string, image []byte, l disk.Layout) {
	r.t.Helper()
	got, err := os.ReadFile(r.file)
	r.must(err)
	for _, p := range l.Partitions {
		if !bytes.Equal(got[p.Start:p.End()], image[p.Start:p.End()]) {
			r.t.Errorf("%s: partition %d is not what the image holds", what, p.Number)
		}
	}
}

// found is the target's layout as the step told it.
func (r *real) found(what string) disk.Layout {
	r.t.Helper()
	l, err := disk.ParseLayout(r.vars.Text(tasksequence.VariableTargetLayout))
	if err != nil || l.Disk != r.disk.ID || r.vars.Text(disk.TargetVariable) != r.disk.ID {
		r.t.Errorf("%s: the target is %q, %v", what, r.vars.Text(disk.TargetVariable), err)
	}
	return l
}
