package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/appliance/internal/api"
	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// winpeSource is a folder with a synthetic boot.wim, in which the agent for Windows is
// found as well.
func winpeSource(t *testing.T, s bootimagetest.WindowsSource) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "boot.wim")
	if err := errors.Join(s.WriteWIM(source, dir), os.Mkdir(filepath.Join(dir, "bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "bin", "slipway-agent.exe"), bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return source
}

func TestWinPEImageByCommand(t *testing.T) {
	r := start(t, t.TempDir())
	source := winpeSource(t, bootimagetest.WindowsSource{})
	out := r.must("", "image", "build", "winpe", "--source", "boot.wim")
	for _, want := range []string{"image 2: Microsoft Windows Setup (x64)", "it lacks: .NET Framework, PowerShell", "is built and served"} {
		if !strings.Contains(out, want) {
			t.Errorf("the build does not say %q:\n%s", want, out)
		}
	}
	var list api.Images
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &list); err != nil || len(list.Images) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	i := list.Images[0]
	if i.Kind != "winpe" || !i.Served || i.KernelRelease != "10.0.26100.1742" {
		t.Errorf("%+v", i)
	}
	for _, f := range i.Files {
		resp, err := http.Get("http://" + r.http + "/boot/" + i.ID + "/" + f.Name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || int64(len(body)) != f.Size || resp.Header.Get("ETag") != `"`+f.SHA256+`"` {
			t.Errorf("%s: %s, %d bytes", f.Name, resp.Status, len(body))
		}
	}
	var report api.ImageReport
	if err := json.Unmarshal([]byte(r.must("", "image", "report", "--json")), &report); err != nil || report.Image != i.ID || !report.Report.Has("wmi") || report.Report.Has("powershell") {
		t.Errorf("%+v, %v", report, err)
	}
	if text := r.must("", "image", "report", i.ID); !strings.Contains(text, "WinPE-PowerShell") || !strings.Contains(text, "plain Windows PE") {
		t.Errorf("report:\n%s", text)
	}
	if script := r.must("", "image", "report", "--script"); !strings.HasPrefix(script, "@echo off\r\n") || !strings.Contains(script, "WinPE-PowerShell") {
		t.Errorf("script:\n%s", script)
	}
	for line, want := range map[string]string{
		"image build winpe --source none.wim":              "none.wim",
		"image build winpe --source boot.wim --arch arm64": "it is for x64, an image for arm64 was asked for",
		"image media --kind iso x.iso --image " + i.ID:     "not written as iso in this version",
		"image export x --image " + i.ID:                   "makes media and exports of linux x64 images",
	} {
		if code, _, errText := r.cli("", strings.Fields(line)...); code == 0 || !strings.Contains(errText, want) || strings.Count(errText, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", line, code, errText)
		}
	}
	if !slices.ContainsFunc(i.Inputs, func(l string) bool { return strings.HasPrefix(l, "server ") }) {
		t.Errorf("no address is in the image: %q", i.Inputs)
	}
	if out := r.must("", "image", "build", "winpe", "--source", "boot.wim", "--server", "192.0.2.10", "--media", "usb", "-o", "stick.img"); !strings.Contains(out, "stick.img: medium ") {
		t.Errorf("build with a stick:\n%s", out)
	}
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &list); err != nil || !slices.ContainsFunc(list.Images, func(i fleet.BootImage) bool {
		return i.Served && slices.ContainsFunc(i.Inputs, func(l string) bool { return strings.HasPrefix(l, "server 192.0.2.10:") })
	}) {
		t.Errorf("the address is not in the image: %+v, %v", list, err)
	}
	if after, err := os.ReadFile(source); err != nil || len(after) == 0 {
		t.Error("the source is gone")
	}
}
