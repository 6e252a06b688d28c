package ui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// TestNamedPasscodes: a passcode with an end, a number of uses and a scope; each
// mistake is told beside its field and loses nothing that was typed.
func TestNamedPasscodes(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	mac := f.devices["d0005"].MACs[0]
	right := map[string]string{"name": "night-shift", "passcode": "plinth walrus 47", "repeat": "plinth walrus 47", "life": "24h", "uses": "5",
		"sequence": "office", "devices": "pc-0040\n" + strings.ToUpper(mac), "networks": "192.0.2.0/24, 2001:db8::/32"}
	for _, try := range []struct{ field, value, want string }{
		{"name", "", "Give it a name"},
		{"name", "two words", "letters a to z"},
		{"repeat", "other", "do not match"},
		{"passcode", "short12", "do not match"},
		{"uses", "many", "whole number"},
		{"uses", "-1", "whole number"},
		{"life", "forever", "Choose how long"},
		{"devices", "PC-9999", "No device is called “PC-9999”"},
		{"networks", "192.0.2.1", "Write networks as"},
	} {
		form := map[string]string{}
		for name, value := range right {
			form[name] = value
		}
		form[try.field] = try.value
		res := v.post("/admin/security/passcodes/add", form)
		body := res.Body.String()
		if res.Code != http.StatusUnprocessableEntity || !strings.Contains(body, try.want) || f.put.Name == "night-shift" {
			t.Errorf("%s %q: %d, without %q", try.field, try.value, res.Code, try.want)
		}
		if strings.Contains(body, "plinth walrus 47") || try.field != "networks" && !strings.Contains(body, "2001:db8::/32") {
			t.Errorf("%s %q: the value came back, or the rest did not", try.field, try.value)
		}
		if !strings.Contains(body, `value="office" checked`) {
			t.Errorf("%s %q: the sequence is no longer chosen", try.field, try.value)
		}
	}
	if res := v.post("/admin/security/passcodes/add", right); res.Code != http.StatusSeeOther {
		t.Fatalf("right: %d", res.Code)
	}
	left := time.Until(f.put.ExpiresAt)
	if f.put.MaxUses != 5 || left < 23*time.Hour || left > 24*time.Hour || !slices.Equal(f.put.Scope.Devices, []string{"d0001", "d0005"}) ||
		!slices.Equal(f.put.Scope.Sequences, []string{"office"}) || len(f.put.Scope.Networks) != 2 {
		t.Errorf("set: %+v", f.put)
	}
	body := v.get("/admin/security?open=passcode").Body.String()
	for _, want := range []string{"night-shift", "Task sequence Office PC", "Devices PC-0040, ", "0 of 5"} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
}

// TestRotation keeps what was set and lets the one before go on.
func TestRotation(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	body := v.get("/admin/security/passcodes/add?name=contractor").Body.String()
	for _, want := range []string{"PC-0040\nPC-0042", `value="office" checked`, `value="10"`, "As it is: until", `name="name" value="contractor"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	before := f.named[1]
	res := v.post("/admin/security/passcodes/add", map[string]string{"rotates": "yes", "name": "contractor", "passcode": "ochre lantern 12", "repeat": "ochre lantern 12",
		"life": before.ExpiresAt.Format(time.RFC3339Nano), "uses": "10", "sequence": "office", "devices": "PC-0040\nPC-0042\n", "overlap": "1h"})
	if res.Code != http.StatusSeeOther || !f.put.ExpiresAt.Equal(before.ExpiresAt) || f.put.Overlap != time.Hour || !slices.Equal(f.put.Scope.Devices, before.Scope.Devices) {
		t.Errorf("%d, %+v", res.Code, f.put)
	}
	if res := v.post("/admin/security/passcode", map[string]string{"passcode": "ochre lantern 12", "repeat": "ochre lantern 12", "overlap": "24h"}); res.Code != http.StatusSeeOther || f.put.Overlap != 24*time.Hour || f.put.Name != "" {
		t.Errorf("the shared one: %d, %+v", res.Code, f.put)
	}
	if res := v.get("/admin/security/passcodes/add?name=nobody"); res.Code != http.StatusNotFound {
		t.Errorf("one nobody set: %d", res.Code)
	}
	if res := v.post("/admin/security/passcodes/remove", map[string]string{"name": "contractor"}); res.Code != http.StatusSeeOther || len(f.named) != 2 {
		t.Errorf("removed: %d", res.Code)
	}
	if res := v.post("/admin/security/passcodes/remove", map[string]string{"name": ""}); res.Code != http.StatusNotFound || !f.status.Set {
		t.Errorf("the shared one went without the word: %d", res.Code)
	}
}

// TestReminder: the age is one of the list, or the one that is set by other means.
func TestReminder(t *testing.T) {
	f, c := furnished(t)
	v := signedIn(t, c, fleet.RoleAdministrator)
	for _, days := range []int{0, 14, 90, 100, 365, 1000} {
		f.reminder = days
		body := v.get("/admin/security?open=passcode").Body.String()
		if strings.Count(body, fmt.Sprintf(`<option value="%d" selected>`, days)) != 1 || strings.Count(body, fmt.Sprintf(`<option value="%d"`, days)) != 1 {
			t.Errorf("%d days are not shown as the choice", days)
		}
	}
	for days, status := range map[string]int{"30": http.StatusSeeOther, "0": http.StatusSeeOther, "-1": http.StatusUnprocessableEntity, "soon": http.StatusUnprocessableEntity} {
		if res := v.post("/admin/security/passcode/reminder", map[string]string{"days": days}); res.Code != status {
			t.Errorf("%s: %d", days, res.Code)
		}
	}
}

// TestDevicesAreNotGuessed: a name that two devices have is asked about.
func TestDevicesAreNotGuessed(t *testing.T) {
	f, c := furnished(t)
	d := f.devices["d0002"]
	d.Name = "PC-0040"
	f.devices["d0002"] = d
	v := signedIn(t, c, fleet.RoleAdministrator)
	res := v.post("/admin/security/passcodes/add", map[string]string{"name": "x", "passcode": "plinth walrus 47", "repeat": "plinth walrus 47", "devices": "PC-0040"})
	if res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "is the name of 2 devices") {
		t.Errorf("%d", res.Code)
	}
}

// TestTechnicianSeesStates: states, no forms and no suggestion.
func TestTechnicianSeesStates(t *testing.T) {
	_, c := furnished(t)
	body := signedIn(t, c, fleet.RoleTechnician).get("/admin/security?open=passcode").Body.String()
	for _, want := range []string{"site-leipzig", "192.0.2.0/24", "Due for a change", "A device booted now would be asked"} {
		if !strings.Contains(body, want) {
			t.Errorf("a technician does not see %q", want)
		}
	}
	for _, no := range []string{`action="/admin/security/settings`, `action="/admin/security/passcode`, "plinth walrus ochre 47", "passcodes/add"} {
		if strings.Contains(body, no) {
			t.Errorf("a technician sees %q", no)
		}
	}
}
