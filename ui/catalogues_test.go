package ui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// hasTexts looks for texts on a page.
func hasTexts(t *testing.T, body string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(body, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
}

func withCatalogues(t *testing.T, role fleet.Role) (*fake, *visitor) {
	t.Helper()
	f := newFake(time.Now)
	f.furnish()
	f.furnishCatalogues(time.Now())
	f.addAccount(string(role), "correct horse", role)
	return f, signedIn(t, newConsole(t, f), role)
}

// The lists, the entries with what the appliance has of them, and pages of entries whose
// links keep what was searched for.
func TestCataloguesAreShown(t *testing.T) {
	_, v := withCatalogues(t, fleet.RoleViewer)
	body := v.get(cataloguesPage).Body.String()
	hasTexts(t, body, "DriverPackCatalog.cab", "1843", "Cannot be read", "unexpected end of JSON input", "3 entries that made no sense", `href="/content/pack1"`, "Being fetched", "when a device needs it", "Latitude 5540 and 1 more", "1–25 of 71")
	for _, none := range []string{"Refresh", "Remove", "Add a catalogue"} {
		if strings.Contains(body, none) {
			t.Errorf("a viewer is offered %q", none)
		}
	}
	body = v.get(cataloguesPage + "?q=latitude&catalogue=dell&os=Windows+11&page=3").Body.String()
	hasTexts(t, body, "51–70 of 70", `rel="prev"`, "catalogue=dell&amp;os=Windows+11&amp;page=2&amp;q=latitude", `<option value="dell" selected>`)
	if strings.Contains(body, `rel="next"`) {
		t.Error("a page after the last one is offered")
	}
	hasTexts(t, v.get(cataloguesPage+"?q=nothing").Body.String(), "Nothing matches", "Show all")
}

func TestWithoutCatalogues(t *testing.T) {
	f, v := withCatalogues(t, fleet.RoleTechnician)
	f.catalogues, f.entries = nil, nil
	body := v.get(cataloguesPage).Body.String()
	hasTexts(t, body, "No catalogue yet", "Add the first one")
	if strings.Contains(body, "What can be fetched") {
		t.Error("a search in nothing is offered")
	}
}

func TestCataloguesAreAddedRefreshedAndRemoved(t *testing.T) {
	f, v := withCatalogues(t, fleet.RoleTechnician)
	const form = cataloguesPage + "/add"
	hasTexts(t, v.get(form).Body.String(), "Dell", "HP", "There already")
	for want, fields := range map[string]map[string]string{"Choose whose": {"vendor": ""}, "address of your list": {"vendor": "own"}, "404 Not Found": {"vendor": "dell", "url": "https://example.com/typed.cab"}} {
		res := v.post(form, fields)
		if res.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", fields, res.Code)
		}
		hasTexts(t, res.Body.String(), want, fields["url"])
	}
	v.get(form)
	if res := v.post(form, map[string]string{"vendor": "dell"}); res.Code != http.StatusSeeOther || f.imported.Vendor != "dell" || f.imported.URL != "" {
		t.Errorf("%d, %+v", res.Code, f.imported)
	}
	v.get(cataloguesPage)
	if res := v.post(cataloguesPage+"/refresh", map[string]string{"name": "hp"}); res.Code != http.StatusSeeOther || f.catalogues[1].Problem != "" {
		t.Errorf("%d, %+v", res.Code, f.catalogues[1])
	}
	v.get(cataloguesPage)
	res := v.post(cataloguesPage+"/refresh", map[string]string{"name": "dell"})
	if res.Code != http.StatusConflict {
		t.Errorf("a refresh that fails: %d", res.Code)
	}
	hasTexts(t, res.Body.String(), "dell was not read anew", "503 Service Unavailable", "1843")
	v.get(cataloguesPage)
	if res := v.post(cataloguesPage+"/remove", map[string]string{"name": "ours"}); res.Code != http.StatusSeeOther || len(f.catalogues) != 4 {
		t.Errorf("%d, %+v", res.Code, f.catalogues)
	}
	v.get(cataloguesPage)
	if res := v.post(cataloguesPage+"/remove", map[string]string{"name": "ours"}); res.Code != http.StatusNotFound {
		t.Errorf("what is not there: %d", res.Code)
	}
	var done []string
	for _, e := range f.audit {
		done = append(done, e.Actor+" "+e.Action+" "+e.Object)
	}
	if got := strings.Join(done, ", "); !strings.Contains(got, "technician catalogue.imported dell, technician catalogue.imported hp, technician catalogue.removed ours") {
		t.Error(got)
	}
}
