package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
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
	} {
		if code, _, errText := r.cli("", strings.Fields(line)...); code == 0 || !strings.Contains(errText, want) || strings.Count(errText, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", line, code, errText)
		}
	}
	if out := r.must("", "image", "media", "--kind", "iso", "--image", i.ID, "cd.iso"); !strings.Contains(out, "starts on UEFI machines") {
		t.Errorf("a CD:\n%s", out)
	}
	r.must("", "image", "export", "--image", i.ID, "exported")
	if wim, err := os.ReadFile(filepath.Join("exported", "Boot", i.ID, "boot.wim")); err != nil || len(wim) == 0 {
		t.Errorf("the export: %d bytes, %v", len(wim), err)
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

// A Windows PE image is built from afar of content, of a file in the folder for sources,
// and never of a path of the appliance.
func TestWinPEImageFromAfar(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	source := winpeSource(t, bootimagetest.WindowsSource{})
	drivers := t.TempDir()
	put(t, filepath.Join(drivers, "nic/e1000.inf"), []byte("[Version]"), 0o644)
	wim, pack := r.addFile("Windows 11", "operatingsystem", source), r.addFile("Network", "driverpack", drivers)
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(r.must("", "token", "add", "ci", "--role", "administrator", "--json")), &token); err != nil {
		t.Fatal(err)
	}
	c := insecure(nil, "")
	build := func(in api.BuildImage) (fleet.ImageBuild, int) {
		t.Helper()
		var b fleet.ImageBuild
		in.Kind = "winpe"
		code := r.request(c, "POST", "/api/v1/admin/images/builds", token.Token, in, &b)
		for deadline := time.Now().Add(5 * time.Minute); b.State == "running"; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%+v", b)
			}
			r.request(c, "GET", "/api/v1/admin/images/builds/"+b.ID, token.Token, nil, &b)
		}
		return b, code
	}
	for name, in := range map[string]api.BuildImage{"a source": {Source: source}, "drivers": {Source: "content:Windows 11", Drivers: drivers}, "an overlay": {Source: "content:Windows 11", Overlay: dir},
		"hooks": {Source: "content:Windows 11", Hooks: dir}, "roots": {Source: "content:Windows 11", RootCertificates: r.config}, "secrets": {Source: "content:Windows 11", AllowSecrets: true}} {
		if _, code := build(in); code != http.StatusForbidden {
			t.Errorf("%s by path answers %d", name, code)
		}
	}
	if _, code := build(api.BuildImage{Source: "content:Windows 12"}); code != http.StatusNotFound {
		t.Errorf("content that is not there answers %d", code)
	}
	b, code := build(api.BuildImage{Source: "content:Windows 11", Drivers: "content:" + pack.Item})
	if code != http.StatusAccepted || b.State != "done" {
		t.Fatalf("%d, %+v", code, b)
	}
	var report api.ImageReport
	if r.request(c, "GET", "/api/v1/admin/images/report?image="+b.ImageID, token.Token, nil, &report); !slices.Equal(report.Report.Drivers, []string{"nic/e1000.inf"}) || report.Report.Source != "boot.wim" {
		t.Errorf("%+v", report.Report)
	}
	var images api.ContentImages
	if code := r.request(c, "GET", "/api/v1/admin/content/Windows 11/versions/1/images", token.Token, nil, &images); code != http.StatusOK || len(images.Files) != 1 ||
		len(images.Files[0].Images) != 2 || images.Files[0].Images[1].Name != "Microsoft Windows Setup (x64)" || !images.Files[0].Images[1].Boots || images.Files[0].Images[0].Version != "10.0.26100.1742" {
		t.Errorf("%d, %+v", code, images)
	}
	put(t, filepath.Join(dir, "data/windows/sources/other.wim"), must(os.ReadFile(source)), 0o644)
	var sources api.ImageSources
	if r.request(c, "GET", "/api/v1/admin/images/sources", token.Token, nil, &sources); len(sources.Sources) != 1 || sources.Sources[0].Name != "other.wim" {
		t.Errorf("%+v", sources)
	}
	if out := r.must("", "image", "build", "winpe", "--source", "sources:other.wim"); !strings.Contains(out, "is built and served") {
		t.Errorf("by command:\n%s", out)
	}
	if code, _, errText := r.cli("", "image", "wimboot", source); code == 0 || !strings.Contains(errText, "not wimboot") && !strings.Contains(errText, "larger than") {
		t.Errorf("a WIM as wimboot: %d, %s", code, errText)
	}
	if out := r.must("", "image", "wimboot"); !strings.Contains(out, "has not been added") {
		t.Errorf("wimboot: %s", out)
	}
	_ = wim
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A step that needs PowerShell is warned of when a sequence is taken in, and refused when
// a device begins in a Windows PE image that has none.
func TestStepsThatTheWindowsPEImageCannotRun(t *testing.T) {
	r := start(t, t.TempDir())
	winpeSource(t, bootimagetest.WindowsSource{})
	r.must("", "image", "build", "winpe", "--source", "boot.wim")
	var list api.Images
	if err := json.Unmarshal([]byte(r.must("", "image", "list", "--json")), &list); err != nil || len(list.Images) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	r.must("slipway-lab\n", "passcode", "set")
	const sequence = `{"id":"ps","name":"PowerShell","status":"active","steps":[{"id":"run","name":"Run","definition":"run-powershell-script","settings":{"Script":"x"}}]}`
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(r.must("", "token", "add", "ci", "--role", "viewer", "--json")), &token); err != nil {
		t.Fatal(err)
	}
	validation := func(document string) string {
		t.Helper()
		var out json.RawMessage
		if code := r.request(insecure(nil, ""), "POST", "/api/v1/admin/sequences/validation", token.Token, json.RawMessage(document), &out); code != http.StatusOK {
			t.Errorf("validation answers %d", code)
		}
		return string(out)
	}
	if out := validation(sequence); !strings.Contains(out, "needs PowerShell, which the Windows PE image "+list.Images[0].ID[:12]+" lacks") || !strings.Contains(out, `"warning":true`) {
		t.Errorf("validation says %s", out)
	}
	if out := validation(strings.Replace(sequence, `"steps":[`, `"steps":[{"id":"wipe","name":"W","definition":"wipe-disk"},`, 1)); strings.Contains(out, "Windows PE image") {
		t.Errorf("validation of one that cannot begin in Windows PE says %s", out)
	}
	r.must(sequence, "sequence", "import", "-")
	begin := func(serial, image, environment string) (int, wire.Problem) {
		t.Helper()
		b := r.boot(wire.Device{Serial: serial, Model: "T1"})
		if code := b.signIn("slipway-lab"); code != http.StatusOK {
			t.Fatalf("sign-in answers %d", code)
		}
		body, err := json.Marshal(wire.StartDeployment{Key: serial, Sequence: "ps", Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("POST", "https://"+b.https+"/api/v1/deployments", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+b.token)
		req.Header.Set(wire.HeaderImage, image)
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var p wire.Problem
		if resp.StatusCode >= 400 {
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, p
	}
	if code, p := begin("pe", list.Images[0].ID, wire.WinPE); code != http.StatusUnprocessableEntity || len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, "slipway image report --script") {
		t.Errorf("in an image without PowerShell: %d, %+v", code, p)
	}
	if code, p := begin("linux", list.Images[0].ID, wire.LinuxPE); code != http.StatusCreated {
		t.Errorf("in Linux: %d, %+v", code, p)
	}
	if code, p := begin("other", strings.Repeat("0", 32), wire.WinPE); code != http.StatusCreated {
		t.Errorf("in an image that is not known: %d, %+v", code, p)
	}
}
