package ui

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// furnishWindows adds Windows content and an image of Windows PE.
func (f *fake) furnishWindows(now time.Time) {
	v := func(item string, files int) []fleet.ContentVersion {
		return []fleet.ContentVersion{{Item: item, Version: 2, Status: fleet.ContentActive, Files: files, Size: 5_400_000_000, CreatedAt: now, Manifest: strings.Repeat("ab", 32)}}
	}
	f.content = append(f.content,
		ContentItem{ContentItem: fleet.ContentItem{ID: "win11", Name: "Windows 11 25H2", Purpose: "operatingsystem", CreatedAt: now, UpdatedAt: now}, Versions: v("win11", 1)},
		ContentItem{ContentItem: fleet.ContentItem{ID: "pack1", Name: "Dell network", Purpose: "driverpack", Manufacturer: "Dell", Models: []string{"Latitude 5440", "Latitude 5450", "OptiPlex 7020", "Precision 3680", "XPS 13"}, CreatedAt: now, UpdatedAt: now}, Versions: v("pack1", 12)},
		ContentItem{ContentItem: fleet.ContentItem{ID: "hooks1", Name: "Hooks of the lab", Purpose: "other", CreatedAt: now, UpdatedAt: now}, Versions: v("hooks1", 3)})
	f.images = append(f.images, fleet.BootImage{ID: "c0ffee5e77b04d52a6c09e1f5d2b7a41", Kind: "winpe", Architecture: "x64", Size: 512_300_000, KernelRelease: "10.0.26200.1", AgentVersion: "0.1.0", Protocol: 1, Served: true, BuiltAt: now.Add(-time.Hour),
		Files: []fleet.ImageFile{{Name: "boot.wim", Size: 505_000_000, SHA256: strings.Repeat("c2", 32)}, {Name: "BCD", Size: 24_000, SHA256: strings.Repeat("5b", 32)}}})
}

func TestWinPEIsBuiltInTheConsole(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.furnishWindows(time.Now())
	f.addAccount("administrator", "correct horse", fleet.RoleAdministrator)
	v := signedIn(t, newConsole(t, f), fleet.RoleAdministrator)
	has := func(body string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("the page lacks %q", w)
			}
		}
	}
	const form = "/boot/images/winpe"
	has(v.get(form).Body.String(), "Windows 11 25H2, version 2", "sources:Win11_25H2_English_x64.iso", "Dell network", "Latitude 5440", "Hooks of the lab")
	for field, fields := range map[string]map[string]string{"Choose what": {}, "A number from 1": {"source": "win11", "index": "x"}, "PEM form": {"source": "win11", "roots": "nonsense"},
		"the last is 2": {"source": "win11", "index": "3"}, "not there any more": {"source": "gone"}} {
		fields["keyboard"] = "typed-layout"
		res := v.post(form, fields)
		if res.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", field, res.Code)
		}
		has(res.Body.String(), field, `value="typed-layout"`)
	}
	v.get(form)
	res := v.askValues(http.MethodPost, form, map[string][]string{"csrf": {v.csrf}, "source": {"win11"}, "drivers": {"pack1", "pack2"}, "index": {"2"}, "hooks": {"hooks1"}, "roots": {"-----BEGIN CERTIFICATE-----\nx"}, "lab": {"yes"}})
	b := f.winBuild
	if res.Code != http.StatusSeeOther || b.Source != "win11" || !slices.Equal(b.Drivers, []string{"pack1", "pack2"}) || b.Index != 2 || b.Hooks != "hooks1" || !b.Lab || b.Roots == "" {
		t.Errorf("%d, %+v", res.Code, b)
	}
	has(v.get("/boot/images").Body.String(), "Windows PE build", "taking source from the content", "/boot/images/c0ffee5e77b04d52a6c09e1f5d2b7a41")
	has(v.get("/boot/images/c0ffee5e77b04d52a6c09e1f5d2b7a41").Body.String(), "PowerShell", "Missing", "intel/e1d.inf", "Contoso Root CA", "components.cmd", "he source has no PowerShell")
	if res := v.get("/boot/images/c0ffee5e77b04d52a6c09e1f5d2b7a41/components.cmd"); res.Body.String() != "@echo off\r\n" || !strings.Contains(res.Header().Get("Content-Disposition"), "add-components.cmd") {
		t.Errorf("the script: %q", res.Body.String())
	}
	if body := v.get("/boot/images/9f3ac81e77b04d52a6c09e1f5d2b7a40").Body.String(); strings.Contains(body, "components.cmd") || !strings.Contains(body, "initrd.img") {
		t.Error("the page of a Linux image is not right")
	}
	for _, path := range []string{"/boot/images/nothing", "/boot/images/9f3ac81e77b04d52a6c09e1f5d2b7a40/components.cmd"} {
		if res := v.get(path); res.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.Code)
		}
	}
	has(v.get("/content/win11").Body.String(), "Images in sources/install.wim", "Windows 11 Pro", "en-US, de-DE")
	has(v.get("/content").Body.String(), "Precision 3680 and 1 more")
}

func TestWimbootIsAddedInTheConsole(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	f.addAccount("administrator", "correct horse", fleet.RoleAdministrator)
	v := signedIn(t, newConsole(t, f), fleet.RoleAdministrator)
	v.get("/boot/images")
	for want, files := range map[string]map[string][]byte{"Choose the file": nil, "This is not wimboot": {"wimboot": []byte("<html>")}} {
		if res := v.postFiles("/boot/wimboot", nil, files); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), want) {
			t.Errorf("%s: %d", want, res.Code)
		}
	}
	if res := v.postFiles("/boot/wimboot", nil, map[string][]byte{"wimboot": []byte("MZ...")}); res.Code != http.StatusSeeOther || !f.wimboot.Present {
		t.Errorf("%d", res.Code)
	}
	if body := v.get("/boot/images").Body.String(); !strings.Contains(body, "v2.8.0") {
		t.Error("its version is not shown")
	}
	if v.post("/boot/wimboot", map[string]string{"remove": "yes"}); f.wimboot.Present {
		t.Error("it was not removed")
	}
}
