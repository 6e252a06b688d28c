package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/imaging"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

func (c *shelf) Upload(_ context.Context, u wire.ContentUpload) (Upload, error) {
	c.upload = u
	return c, nil
}

func (c *shelf) Write(p []byte) (int, error) { return c.uploaded.Write(p) }
func (c *shelf) Abort()                      { c.aborted = true }
func (c *shelf) Commit(context.Context) (wire.ContentVersion, error) {
	c.kept = true
	return wire.ContentVersion{Item: "new", Version: 3}, nil
}

// notCaptured are files that no capture holds.
var notCaptured = []string{"/proc/1/x", "/sys/x", "/dev/x", "/run/x", "/tmp/x", "/var/tmp/x", "/lost+found/x", "/boot/efi/EFI/x", "/swapfile", "/swap.img",
	"/var/cache/slipway/x", "/var/lib/slipway-agent/token.json", "/usr/local/sbin/slipway-agent", "/etc/slipway-agent.json", "/home/me/.cache/x",
	"/etc/systemd/system/slipway-agent.service", "/etc/systemd/system/multi-user.target.wants/slipway-agent.service"}

// capture is a Capture image step of a small system.
type capture struct {
	content *shelf
	vars    *tasksequence.Variables
	lines   *[]string
	root    string // of the system
	exec    Exec   // nil: this machine's
	tell    func() // when the step tells its progress
}

func (c *capture) run(t *testing.T, settings map[string]any) error {
	t.Helper()
	disks := twoDisks(t)
	c.content, c.vars, c.root = &shelf{}, tasksequence.NewVariables(), disks.Root
	for _, name := range append([]string{"/a/words", "/etc/hostname"}, notCaptured...) {
		text := "pc"
		if name == "/a/words" {
			text = words()
		}
		full := c.root + name
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(c.root+"/etc/hostname", 7, 8), os.Chmod(c.root+"/etc/hostname", 0o604)); err != nil {
		t.Fatal(err)
	}
	l := disk.Layout{Format: disk.LayoutFormat, Disk: "small", Partitions: []disk.Partition{{Number: 1, Role: disk.RoleRoot, FS: disk.FSExt4}}}
	disks.SetLayout("small", l)
	if err := c.vars.SetSystem(tasksequence.VariableTargetLayout, tasksequence.Value{Text: l.Text()}); err != nil {
		t.Fatal(err)
	}
	s, lines := step(t, tasksequence.CaptureImage, settings, c.vars)
	s.Machine.Disks, s.Machine.Content, s.Key = disks, c.content, "deployment/capture"
	if c.exec != nil {
		s.Machine.Exec = c.exec
	}
	if c.tell != nil {
		s.Progress = func(int, string) { c.tell() }
	}
	c.lines = lines
	_, err := captureImage(t.Context(), s)
	return err
}

// words are 2 MB that compression can do much or little about.
func words() string {
	r := rand.New(rand.NewPCG(3, 3))
	var b strings.Builder
	for b.Len() < 2<<20 {
		fmt.Fprintf(&b, "word%d ", r.IntN(9000))
	}
	return b.String()
}

// logged looks for a line of the step's log.
func (c *capture) logged(t *testing.T, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(*c.lines, "\n"), want) {
		t.Errorf("no %q in the log: %q", want, *c.lines)
	}
}

func TestCaptureImage(t *testing.T) {
	var c capture
	err := c.run(t, map[string]any{"Name": "Debian 12 / office", "Description": "with all", "Exclude": "home/*/.cache\n", "Item": "old"})
	if err != nil || !c.content.kept || c.content.aborted {
		t.Fatalf("kept %v, %v", c.content.kept, err)
	}
	u := c.content.upload
	if u.File != "Debian-12---office.tar.zst" || u.Item != "old" || u.Name != "Debian 12 / office" || u.Description != "with all" || u.Purpose != "operatingsystem" ||
		u.Key != "deployment/capture" || c.vars.Text("_CapturedImage") != "new:3" {
		t.Errorf("%+v, %s", u, c.vars.Text("_CapturedImage"))
	}
	c.logged(t, "is new, version 3: "+disk.Bytes(int64(c.content.uploaded.Len())))
	to := t.TempDir()
	if _, err := imaging.Extract(t.Context(), &c.content.uploaded, to, imaging.ExtractOptions{System: true}); err != nil {
		t.Fatal(err)
	}
	checkCapture(t, to)
}

// The option Compression reaches what packs, for both kinds.
func TestCaptureCompression(t *testing.T) {
	for _, kind := range []string{tasksequence.CaptureTar, tasksequence.CaptureWIM} {
		var size []int
		for _, strength := range []string{"fast", "default", "best"} {
			var c capture
			if err := c.run(t, map[string]any{"Name": "x", "ImageType": kind, "Compression": strength}); err != nil {
				t.Fatal(err)
			}
			size = append(size, c.content.uploaded.Len())
		}
		if size[0] <= size[1] || size[1] < size[2] || kind == tasksequence.CaptureTar && size[1] == size[2] {
			t.Errorf("%s: fast, default and best make %d bytes", kind, size)
		}
	}
}

// A file that shrinks while it is read is told, and the capture goes on.
func TestCaptureOfAFileThatShrinks(t *testing.T) {
	var c capture
	c.tell = func() {
		if err := os.Truncate(c.root+"/a/words", 1<<20); err != nil {
			t.Error(err)
		}
	}
	if err := c.run(t, map[string]any{"Name": "x"}); err != nil {
		t.Fatal(err)
	}
	c.logged(t, "warn ./a/words became shorter while it was read")
}

func checkCapture(t *testing.T, to string) {
	t.Helper()
	if text, err := os.ReadFile(to + "/etc/hostname"); err != nil || string(text) != "pc" {
		t.Errorf("%q %v", text, err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(to+"/etc/hostname", &stat); err != nil || stat.Uid != 7 || stat.Gid != 8 || stat.Mode&0o7777 != 0o604 {
		t.Errorf("owner %d:%d, mode %o, %v", stat.Uid, stat.Gid, stat.Mode, err)
	}
	for _, name := range notCaptured {
		if _, err := os.Lstat(to + name); err == nil {
			t.Errorf("%s was captured", name)
		}
	}
	for _, name := range []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/boot/efi", "/home/me"} { // where something is mounted, or made
		if _, err := os.Lstat(to + name); err != nil {
			t.Error(err)
		}
	}
}

func TestCaptureWIM(t *testing.T) {
	var c capture
	err := c.run(t, map[string]any{"Name": "Office", "Description": "with all", "ImageType": "wim", "Compression": "default", "Exclude": "/home/*/.cache"})
	if err != nil || c.content.upload.File != "Office.wim" {
		t.Fatalf("%+v, %v (the package wimtools is needed: lab/deps.sh check)", c.content.upload, err)
	}
	c.logged(t, "is new, version 3: "+disk.Bytes(int64(c.content.uploaded.Len())))
	file, to := filepath.Join(t.TempDir(), "x.wim"), t.TempDir()
	if err := os.WriteFile(file, c.content.uploaded.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := exec.CommandContext(t.Context(), "wimlib-imagex", "info", file).CombinedOutput()
	text := strings.Join(strings.Fields(string(info)), " ")
	if err != nil || !strings.Contains(text, "Name: Office") || !strings.Contains(text, "Description: with all") || !strings.Contains(text, "Compression: LZX") {
		t.Errorf("%v: %s", err, info)
	}
	apply := exec.CommandContext(t.Context(), "wimlib-imagex", "apply", "-", "1", to, "--unix-data") // from a pipe, as a device does
	apply.Stdin = &c.content.uploaded
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkCapture(t, to)
}

func TestACaptureThatFailsLeavesNothing(t *testing.T) {
	var c capture
	fails := func(settings map[string]any, want string) {
		t.Helper()
		if err := c.run(t, settings); err == nil || !strings.Contains(err.Error(), want) || c.content.kept {
			t.Errorf("%v, kept %v", err, c.content.kept)
		}
	}
	fails(map[string]any{"Name": "x", "Exclude": "[a"}, `leave out "[a"`)
	if !c.content.aborted {
		t.Error("the upload of a failed pack was left")
	}
	fails(map[string]any{"Name": " "}, "a name for the content item is needed")
	if c.content.upload.Key != "" {
		t.Error("an upload without a name was begun")
	}
	c.exec = &recorder{t: t, known: []string{"wimlib-imagex"}, codes: map[string]int{"wimlib-imagex": 72}}
	fails(map[string]any{"Name": "x", "ImageType": "wim"}, "wimlib-imagex: it ended with exit code 72")
	if !c.content.aborted {
		t.Error("the upload of a failed tool was left")
	}
}

func TestApplyDiskImage(t *testing.T) {
	disks, vars, content := twoDisks(t), tasksequence.NewVariables(), &shelf{}
	l := disk.Layout{Format: disk.LayoutFormat, Disk: "small", Table: disk.GPT, Partitions: []disk.Partition{{Number: 1, Role: disk.RoleESP, FS: disk.FSVFAT},
		{Number: 3, Role: disk.RoleRoot, FS: disk.FSExt4, Start: 2 << 20, Size: 1 << 30}}}
	disks.SetLayout("small", l)
	image := bytes.Repeat([]byte("disk"), 1<<20)
	content.file(wire.ContentFile{Path: "a.raw.gz"}, gzipped(t, image))
	exec := &recorder{t: t, known: []string{"e2fsck", "resize2fs"}, codes: map[string]int{"e2fsck": 1}}
	apply := func() error {
		s, _ := step(t, tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "os:1"}, vars)
		s.Machine.Disks, s.Machine.Content, s.Machine.Exec = disks, content, exec
		_, err := applyOperatingSystem(t.Context(), s)
		return err
	}
	if err := apply(); !errors.Is(err, disk.ErrNoTarget) {
		t.Errorf("without a target: %v", err)
	}
	if err := vars.SetSystem(disk.TargetVariable, tasksequence.Value{Text: "small"}); err != nil {
		t.Fatal(err)
	}
	if err := apply(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(exec.ran, ", "); !strings.HasPrefix(got, "e2fsck -f -p /") || !strings.Contains(got, ", resize2fs /") {
		t.Errorf("ran %s", got)
	}
	if now, err := disk.ParseLayout(vars.Text(tasksequence.VariableTargetLayout)); err != nil || len(now.Partitions) != 2 || now.Firmware != disk.BIOS {
		t.Errorf("%+v, %v", now, err)
	}
	if calls := strings.Join(disks.Calls(), ", "); !strings.Contains(calls, "open small, grow small") || disks.Mounted() != "small" {
		t.Errorf("calls %s", calls)
	}
}
