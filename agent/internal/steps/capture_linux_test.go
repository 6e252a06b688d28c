package steps

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

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

func captured(t *testing.T, settings map[string]any) (*shelf, *tasksequence.Variables, error) {
	t.Helper()
	disks, vars, content := twoDisks(t), tasksequence.NewVariables(), &shelf{}
	root := disks.Root
	err := errors.Join(os.MkdirAll(root+"/etc/systemd/system", 0o755), os.MkdirAll(root+"/proc/1", 0o755), os.MkdirAll(root+"/var/lib/slipway-agent", 0o700),
		os.MkdirAll(root+"/home/me/.cache/x", 0o700), os.WriteFile(root+"/etc/hostname", []byte("pc"), 0o644),
		os.WriteFile(root+"/var/lib/slipway-agent/token.json", []byte("secret"), 0o600), os.WriteFile(root+"/etc/systemd/system/slipway-agent.service", nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	l := disk.Layout{Format: disk.LayoutFormat, Disk: "small", Partitions: []disk.Partition{{Number: 1, Role: disk.RoleRoot, FS: disk.FSExt4}}}
	disks.SetLayout("small", l)
	if err := vars.SetSystem(disk.LayoutVariable, tasksequence.Value{Text: l.Text()}); err != nil {
		t.Fatal(err)
	}
	s, _ := step(t, tasksequence.CaptureImage, settings, vars)
	s.Machine.Disks, s.Machine.Content, s.Key = disks, content, "deployment/capture"
	_, err = captureImage(t.Context(), s)
	return content, vars, err
}

func TestCaptureImage(t *testing.T) {
	content, vars, err := captured(t, map[string]any{"Name": "Debian 12 / office", "Exclude": "home/*/.cache\n", "Item": "old"})
	if err != nil || !content.kept || content.aborted {
		t.Fatalf("kept %v, %v", content.kept, err)
	}
	u := content.upload
	if u.File != "Debian-12---office.tar.zst" || u.Item != "old" || u.Purpose != "operatingsystem" || u.Key != "deployment/capture" || vars.Text("_CapturedImage") != "new:3" {
		t.Errorf("%+v, %s", u, vars.Text("_CapturedImage"))
	}
	to := t.TempDir()
	if _, err := imaging.Extract(t.Context(), &content.uploaded, to, imaging.ExtractOptions{System: true}); err != nil {
		t.Fatal(err)
	}
	checkCapture(t, to)
}

func checkCapture(t *testing.T, to string) {
	t.Helper()
	if text, err := os.ReadFile(to + "/etc/hostname"); err != nil || string(text) != "pc" {
		t.Errorf("%q %v", text, err)
	}
	for _, name := range []string{"/proc/1", "/var/lib/slipway-agent", "/home/me/.cache", "/etc/systemd/system/slipway-agent.service"} {
		if _, err := os.Lstat(to + name); err == nil {
			t.Errorf("%s was captured", name)
		}
	}
	if _, err := os.Lstat(to + "/proc"); err != nil {
		t.Error(err)
	}
}

func TestCaptureWIM(t *testing.T) {
	content, _, err := captured(t, map[string]any{"Name": "Office", "ImageType": "wim", "Exclude": "/home/*/.cache"})
	if err != nil || content.upload.File != "Office.wim" {
		t.Fatalf("%+v, %v (the package wimtools is needed: lab/deps.sh check)", content.upload, err)
	}
	to := t.TempDir()
	apply := exec.CommandContext(t.Context(), "wimlib-imagex", "apply", "-", "1", to, "--unix-data")
	apply.Stdin = &content.uploaded
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkCapture(t, to)
}

func TestACaptureThatFailsLeavesNothing(t *testing.T) {
	content, _, err := captured(t, map[string]any{"Name": "x", "Exclude": "[a"})
	if err == nil || !strings.Contains(err.Error(), `leave out "[a"`) || content.kept || !content.aborted {
		t.Errorf("%v, kept %v, aborted %v", err, content.kept, content.aborted)
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
	if now, err := disk.ParseLayout(vars.Text(disk.LayoutVariable)); err != nil || len(now.Partitions) != 2 || now.Firmware != disk.BIOS {
		t.Errorf("%+v, %v", now, err)
	}
	if calls := strings.Join(disks.Calls(), ", "); !strings.Contains(calls, "open small, grow small") || disks.Mounted() != "small" {
		t.Errorf("calls %s", calls)
	}
}
