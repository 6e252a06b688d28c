package ui

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// furnished is a console with a small fleet and one account per role.
func furnished(t *testing.T) (*fake, *Console) {
	t.Helper()
	f := newFake(time.Now)
	f.furnish()
	for _, r := range []fleet.Role{fleet.RoleViewer, fleet.RoleTechnician, fleet.RoleAdministrator} {
		f.addAccount(string(r), "correct horse", r)
	}
	return f, newConsole(t, f)
}

func signedIn(t *testing.T, c *Console, role fleet.Role) *visitor {
	t.Helper()
	v := &visitor{t: t, c: c}
	v.signIn(string(role), "correct horse")
	return v
}

var rowKey = regexp.MustCompile(`<tr data-k="(?:device|deployment):([^"]+)"`)

func rows(res *httptest.ResponseRecorder) []string {
	var out []string
	for _, m := range rowKey.FindAllStringSubmatch(res.Body.String(), -1) {
		out = append(out, m[1])
	}
	return out
}

func TestDevicesAreFoundBySerialAddressAndAnyMAC(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleViewer)
	d := f.devices["d0007"]
	d.MACs = []string{"52:54:00:c0:ff:ee"}
	f.devices["d0007"] = d
	for _, q := range []string{"52:54:00:c0:ff:ee", "52-54-00-C0-FF-EE", "5254.00c0.ffee", "525400c0ffee", "c0ff", d.Serial, strings.ToLower(d.Serial), d.UUID, d.Name + " " + d.Address} {
		if got := rows(v.get("/devices?q=" + strings.ReplaceAll(q, " ", "+"))); len(got) != 1 || got[0] != "d0007" {
			t.Errorf("%q found %v", q, got)
		}
	}
	res := v.get("/devices?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E")
	if got := rows(res); len(got) != 0 || !strings.Contains(res.Body.String(), "No device matches") {
		t.Errorf("nonsense found %v", got)
	}
	if strings.Contains(res.Body.String(), "<script>alert") {
		t.Error("the filter came back unescaped")
	}
}

func TestDevicesArePagedAndSorted(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("viewer", "correct horse", fleet.RoleViewer)
	for i := range 250 {
		id := fmt.Sprintf("x%03d", i)
		f.devices[id] = fleet.Device{ID: id, Name: fmt.Sprintf("PC-%03d", i), Address: fmt.Sprintf("192.0.2.%d", 250-i), LastSeen: f.now().Add(-time.Duration(i) * time.Minute)}
	}
	v := signedIn(t, newConsole(t, f), fleet.RoleViewer)
	first := v.get("/devices")
	if got := rows(first); len(got) != pageSize || got[0] != "x000" || got[99] != "x099" || !strings.Contains(first.Body.String(), "1–100 of 250") {
		t.Errorf("first page: %d rows", len(got))
	}
	if got := rows(v.get("/devices?page=3")); len(got) != 50 || got[49] != "x249" {
		t.Errorf("last page: %d rows", len(got))
	}
	if got := rows(v.get("/devices?page=99&sort=-name")); len(got) != 50 || got[49] != "x000" {
		t.Errorf("beyond the last page, downwards: %d rows", len(got))
	}
	if got := rows(v.get("/devices?sort=address")); got[0] != "x249" || got[1] != "x248" {
		t.Errorf("addresses are not sorted as numbers: %v", got[:2])
	}
	if got := rows(v.get("/devices?sort=nonsense&page=-1")); len(got) != pageSize || got[0] != "x000" {
		t.Errorf("nonsense in the address: %d rows", len(got))
	}
}

func TestEmptyListsSayWhatToDo(t *testing.T) {
	f := newFake(time.Now)
	f.addAccount("administrator", "correct horse", fleet.RoleAdministrator)
	v := signedIn(t, newConsole(t, f), fleet.RoleAdministrator)
	for path, want := range map[string]string{
		"/": "No sign-in mechanism is configured", "/devices": "No device has been seen yet", "/deployments": "Nothing has been deployed yet",
		"/sequences": "No task sequence", "/boot/images": "No boot image has been built", "/audit": "Nothing recorded yet",
	} {
		res := v.get(path)
		if res.Code != http.StatusOK || !strings.Contains(res.Body.String(), want) {
			t.Errorf("%s: %d, without %q", path, res.Code, want)
		}
		if strings.Contains(res.Body.String(), "<tbody></tbody>") {
			t.Errorf("%s shows an empty table", path)
		}
	}
}

// TestWarningStays: while no mechanism is configured, every page says so, and
// none does afterwards.
func TestWarningStays(t *testing.T) {
	f, c := furnished(t)
	f.status, f.named = fleet.PasscodeStatus{}, nil
	v := signedIn(t, c, fleet.RoleAdministrator)
	for _, p := range pages {
		if res := v.get(p.path); res.Code != http.StatusNotFound && !strings.Contains(res.Body.String(), "No sign-in mechanism is configured") {
			t.Errorf("%s does not warn", p.path)
		}
	}
	v.get("/admin/security")
	if res := v.post("/admin/security/passcode", map[string]string{"passcode": "bcdefghjknprstu", "repeat": "bcdefghjknprstu"}); res.Code != http.StatusSeeOther {
		t.Fatal(res.Code)
	}
	if strings.Contains(v.get("/").Body.String(), "No sign-in mechanism is configured") {
		t.Error("it still warns with a passcode set")
	}
}

func TestPasscodeForm(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	set := func(passcode, repeat, force string) *httptest.ResponseRecorder {
		return v.post("/admin/security/passcode", map[string]string{"passcode": passcode, "repeat": repeat, "force": force})
	}
	before := f.passcode
	for _, try := range []struct{ one, two, force, want string }{
		{"one-passcode", "another-one", "", "do not match"}, {"abc", "abc", "yes", "at least 4"}, {"short12", "short12", "", "Use it anyway"},
	} {
		res := set(try.one, try.two, try.force)
		if res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), try.want) || f.passcode != before {
			t.Errorf("%q: %d, without %q", try.one, res.Code, try.want)
		}
		if strings.Contains(res.Body.String(), try.one) {
			t.Errorf("%q came back in the page", try.one)
		}
	}
	if res := set("short12", "short12", "yes"); res.Code != http.StatusSeeOther || f.passcode != "short12" {
		t.Errorf("forced: %d", res.Code)
	}
	if res := v.post("/admin/security/passcode/clear", map[string]string{"confirm": "yes"}); res.Code != http.StatusUnprocessableEntity || !f.status.Set {
		t.Errorf("cleared without the word: %d", res.Code)
	}
	if res := v.post("/admin/security/passcode/clear", map[string]string{"confirm": " clear "}); res.Code != http.StatusSeeOther || f.status.Set {
		t.Errorf("clear: %d", res.Code)
	}
}

func TestRelease(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleTechnician)
	if body := v.get("/admin/security").Body.String(); !strings.Contains(body, "K4-7XQ") || strings.Contains(body, `action="/admin/security/passcode"`) {
		t.Error("a technician sees the waiting list and not the passcode's form")
	}
	if res := v.post("/admin/security/release", map[string]string{"code": "nobody"}); res.Code != http.StatusNotFound {
		t.Errorf("unknown code: %d", res.Code)
	}
	if res := v.post("/admin/security/release", map[string]string{"code": "K4-7XQ"}); res.Code != http.StatusSeeOther || !f.held[0].Released {
		t.Errorf("release: %d", res.Code)
	}
	last := f.audit[len(f.audit)-1]
	if last.Actor != "technician" || last.Address != "192.0.2.10" {
		t.Errorf("who released is not told: %+v", last)
	}
}

func TestDeviceForms(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleTechnician)
	for _, try := range []struct {
		path   string
		fields map[string]string
		status int
		want   string
	}{
		{"name", map[string]string{"name": "no good name"}, 422, "Letters, digits and hyphens only."},
		{"name", map[string]string{"name": "PC-1"}, 303, ""},
		{"sequence", map[string]string{"sequence": "missing"}, 422, "There is no such task sequence."},
		{"sequence", map[string]string{"sequence": "office"}, 303, ""},
		{"boot", map[string]string{"when": "always", "target": "floppy"}, 422, "Choose what the device boots"},
		{"boot", map[string]string{"when": "always", "target": ""}, 422, "Choose what the device boots"},
		{"boot", map[string]string{"when": "always", "target": "silent"}, 303, ""},
		{"boot", map[string]string{"when": "next", "target": ""}, 303, ""},
	} {
		res := v.post("/devices/d0001/"+try.path, try.fields)
		if res.Code != try.status || !strings.Contains(res.Body.String(), try.want) {
			t.Errorf("%s %v: %d", try.path, try.fields, res.Code)
		}
	}
	d := f.devices["d0001"]
	if d.Name != "PC-1" || d.Sequence != "office" || d.Boot.Always != fleet.BootSilent || d.Boot.Next != "" {
		t.Errorf("kept: %+v", d)
	}
	if res := v.post("/devices/nobody/name", map[string]string{"name": "x"}); res.Code != http.StatusNotFound {
		t.Errorf("unknown device: %d", res.Code)
	}
}

// TestSecretsAreMasked: the read-only tree and variables never show a secret,
// and only an administrator can export the document that holds it.
func TestSecretsAreMasked(t *testing.T) {
	_, c := furnished(t)
	body := signedIn(t, c, fleet.RoleAdministrator).get("/sequences/hello").Body.String()
	if strings.Contains(body, "hunter2") || strings.Count(body, "***") < 2 {
		t.Error("a secret is shown")
	}
	if !strings.Contains(body, "only if DiskCount is greater than") || !strings.Contains(body, "continues on error") || !strings.Contains(body, "in the Linux boot image") {
		t.Error("conditions or options are missing")
	}
	if res := signedIn(t, c, fleet.RoleTechnician).get("/sequences/hello/export?version=1&format=json"); res.Code != http.StatusForbidden || strings.Contains(res.Body.String(), "hunter2") {
		t.Errorf("a technician's export: %d", res.Code)
	}
	res := signedIn(t, c, fleet.RoleAdministrator).get("/sequences/hello/export?version=1&format=json")
	if res.Code != http.StatusOK || !strings.Contains(res.Header().Get("Content-Disposition"), "Hello_from_Slipway-v1.json") || !strings.Contains(res.Body.String(), "hunter2") {
		t.Errorf("an administrator's export: %d, %q", res.Code, res.Header().Get("Content-Disposition"))
	}
}

func TestImport(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	send := func(content string) *httptest.ResponseRecorder {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.WriteField("csrf", v.csrf); err != nil {
			t.Fatal(err)
		}
		part, err := w.CreateFormFile("file", "s.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "https://slipway.test/sequences/import", &b)
		r.Header.Set("Content-Type", w.FormDataContentType())
		return v.send(r)
	}
	n := len(f.sequences)
	if res := send("nonsense"); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "It needs an id and a name.") || len(f.sequences) != n {
		t.Errorf("nonsense: %d", res.Code)
	}
	if res := send(strings.Repeat("x", importLimit+1)); res.Code != http.StatusRequestEntityTooLarge || len(f.sequences) != n {
		t.Errorf("too large: %d", res.Code)
	}
	res := send(`{"id":"fresh","name":"Fresh"}`)
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(res.Header().Get("Location"), "/sequences/fresh") || len(f.sequences) != n+1 {
		t.Errorf("good: %d to %q", res.Code, res.Header().Get("Location"))
	}
	if body := v.get("/sequences/fresh").Body.String(); !strings.Contains(body, "No steps") {
		t.Error("the imported sequence has no page")
	}
}

func TestDeploymentLog(t *testing.T) {
	f, c := furnished(t)
	for i := len(f.lines["ok1"]); i < 2500; i++ {
		f.lines["ok1"] = append(f.lines["ok1"], fleet.LogLine{Number: int64(i + 1), Time: f.now(), Level: "info", Text: fmt.Sprintf("line %d of many", i+1)})
	}
	v := signedIn(t, c, fleet.RoleViewer)
	body := v.get("/deployments/ok1").Body.String()
	if !strings.Contains(body, "line 2500 of many") || strings.Contains(body, "line 1499 of many") || !strings.Contains(body, "?from=501") {
		t.Error("the newest page of the log is wrong")
	}
	body = v.get("/deployments/ok1?from=501").Body.String()
	if !strings.Contains(body, `id="L501"`) || !strings.Contains(body, "?from=1501") || strings.Contains(body, `id="L1501"`) {
		t.Error("an older page of the log is wrong")
	}
	res := v.get("/deployments/ok1/log.txt")
	if n := strings.Count(res.Body.String(), "\n"); n != 2500 || !strings.HasPrefix(res.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("the download has %d lines", n)
	}
}

func TestCancel(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleTechnician)
	if res := v.post("/deployments/run1/cancel", nil); res.Code != http.StatusSeeOther || f.deployments["run1"].Order != "cancel" {
		t.Errorf("cancel: %d", res.Code)
	}
	if body := v.get("/deployments/run1").Body.String(); !strings.Contains(body, "Cancelling") {
		t.Error("the page does not say that it is being cancelled")
	}
	if res := v.post("/deployments/ok1/cancel", nil); res.Code != http.StatusConflict || !strings.Contains(res.Body.String(), "already ended") {
		t.Errorf("cancel of an ended one: %d", res.Code)
	}
}

func TestAuditIsFilteredAndPaged(t *testing.T) {
	f, c := furnished(t)
	for i := range 230 {
		f.audit = append(f.audit, fleet.AuditEntry{Number: int64(len(f.audit) + 1), Time: f.now(), Actor: "device", Action: "passcode.refused", Outcome: "refused", Reason: fmt.Sprintf("try %d.", i)})
	}
	v := signedIn(t, c, fleet.RoleAdministrator)
	older := regexp.MustCompile(`href="(/audit\?[^"]*before=[^"]*)"`)
	path, seen := "/audit?outcome=refused", 0
	for path != "" {
		body := v.get(path).Body.String()
		seen += strings.Count(body, "<code>passcode.refused</code>")
		path = ""
		if m := older.FindStringSubmatch(body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if seen != 231 {
		t.Errorf("%d refused entries over all pages, not 231", seen)
	}
	newer := regexp.MustCompile(`href="(/audit\?[^"]*after=[^"]*)"`)
	path = "/audit?outcome=refused&before=80"
	for turned := 1; ; turned++ {
		res := v.get(path)
		if res.Code == http.StatusSeeOther {
			if turned != 3 || res.Header().Get("Location") != "/audit?outcome=refused" {
				t.Errorf("after %d pages it leads to %q", turned, res.Header().Get("Location"))
			}
			break
		}
		m := newer.FindStringSubmatch(res.Body.String())
		if m == nil || turned > 5 {
			t.Fatalf("page %d leads to no newer one", turned)
		}
		path = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	if body := v.get("/audit?q=nothing-like-this").Body.String(); !strings.Contains(body, "No entry matches") {
		t.Error("no word for no match")
	}
}

// TestErrorsAreExplained: a full disk says so, an unknown failure names a
// reference and nothing else.
func TestErrorsAreExplained(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	f.readOnly = true
	res := v.post("/admin/security/passcode", map[string]string{"passcode": "bcdefghjknprstu", "repeat": "bcdefghjknprstu"})
	if res.Code != http.StatusInsufficientStorage || !strings.Contains(res.Body.String(), "disk is full") {
		t.Errorf("full disk: %d", res.Code)
	}
	c.backend.Devices = brokenDevices{c.backend.Devices}
	res = v.get("/devices")
	if res.Code != http.StatusInternalServerError || strings.Contains(res.Body.String(), "internal detail") || !strings.Contains(res.Body.String(), "Reference") {
		t.Errorf("unknown failure: %d", res.Code)
	}
}

func TestThemeIsKept(t *testing.T) {
	_, c := furnished(t)
	v := signedIn(t, c, fleet.RoleViewer)
	v.post("/me/theme", map[string]string{"theme": "dark"})
	if body := v.get("/").Body.String(); !strings.Contains(body, `data-theme="dark"`) {
		t.Error("the theme is not drawn by the server")
	}
	v.cookies[themeCookie] = `"><script>`
	if body := v.get("/").Body.String(); !strings.Contains(body, `data-theme=""`) {
		t.Error("a forged theme is drawn")
	}
}

// Content comes from one place only, and of the appliance's files those are offered that
// are there.
func TestContentOfAFileOfTheAppliance(t *testing.T) {
	f, v := withCatalogues(t, fleet.RoleTechnician)
	hasTexts(t, v.get("/content/add").Body.String(), "Win11_25H2_English_x64.iso, 7.7 GB")
	const iso = "Win11_25H2_English_x64.iso"
	res := v.post("/content/add", map[string]string{"name": "Windows 11", "purpose": "operatingsystem", "source": iso, "url": "https://example.com/x.iso"})
	if res.Code != http.StatusUnprocessableEntity {
		t.Errorf("two places: %d", res.Code)
	}
	hasTexts(t, res.Body.String(), "only one of them", `<option value="`+iso+`" selected>`)
	if res := v.post("/content/add", map[string]string{"name": "Windows 11 of a file", "purpose": "operatingsystem", "source": iso}); res.Code != http.StatusSeeOther || f.added.Source != iso {
		t.Errorf("%d, %+v", res.Code, f.added)
	}
}
