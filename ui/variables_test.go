package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"slipway/fleet"
	"slipway/ui/browsertest"
)

const sealedWord = "sealed-hunter2"

// withVariables gives a device a name of its own and a secret.
func (f *fake) withVariables(t *testing.T) (id string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, d := range f.devices {
		if d.Name == "PC-0042" {
			d.Variables = []fleet.DeviceVariable{{Name: "ComputerName", Value: json.RawMessage(`"PC-0042"`)}, {Name: "JoinPassword", Secret: true, Sealed: []byte(sealedWord)}}
			f.devices[id] = d
			return id
		}
	}
	t.Fatal("no PC-0042")
	return ""
}

// TestDeviceVariables: a secret is in no page, kept when its field is empty, and taken
// away only with a new value; what is wrong stands beside its field and is not saved.
func TestDeviceVariables(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	id := f.withVariables(t)
	f.addAccount("tech", "correct horse", fleet.RoleTechnician)
	v := &visitor{t: t, c: newConsole(t, f)}
	v.signIn("tech", "correct horse")
	page := v.get("/devices/" + id).Body.String()
	if strings.Contains(page, sealedWord) || !strings.Contains(page, "set; leave empty to keep it") {
		t.Error("the secret is in the page, or nothing says that it is set")
	}
	form := func(rows ...[4]string) url.Values { // name, value, was, "s" for secret
		out := url.Values{}
		for i, r := range rows {
			out.Add("varName", r[0])
			out.Add("varValue", r[1])
			out.Add("varWas", r[2])
			if r[3] == "s" {
				out.Add("varSecret", string(rune('0'+i)))
			}
		}
		return out
	}
	send := func(want int, form url.Values) string {
		t.Helper()
		form.Set("csrf", v.csrf)
		res := v.askValues(http.MethodPost, "/devices/"+id+"/variables", form)
		if res.Code != want {
			t.Fatalf("%v: %d", form, res.Code)
		}
		return res.Body.String()
	}
	send(http.StatusSeeOther, form([4]string{"ComputerName", "PC-7", "", ""}, [4]string{"DomainPassword", "", "JoinPassword", "s"}, [4]string{"", "", "", ""}))
	got := f.devices[id].Variables
	if len(got) != 2 || string(got[0].Value) != `"PC-7"` || got[1].Name != "DomainPassword" || string(got[1].Sealed) != sealedWord {
		t.Errorf("kept %+v", got)
	}
	body := send(http.StatusUnprocessableEntity, form([4]string{"two words", "x", "", ""}, [4]string{"Pw", "typed-secret", "", "s"}))
	if !strings.Contains(body, `value="two words"`) || !strings.Contains(body, "dv-nerr-0") || strings.Contains(body, "typed-secret") || !strings.Contains(body, "Give the secret again") {
		t.Error("what was typed is gone, nothing stands beside it, or a secret came back")
	}
	body = send(http.StatusUnprocessableEntity, form([4]string{"DomainPassword", "", "DomainPassword", ""}))
	if !strings.Contains(body, "never shown") {
		t.Error("a secret became an open text that is empty")
	}
	if got := f.devices[id].Variables; len(got) != 2 {
		t.Errorf("what was refused was kept: %+v", got)
	}
	send(http.StatusSeeOther, form([4]string{"", "", "DomainPassword", "s"}))
	if got := f.devices[id].Variables; len(got) != 0 {
		t.Errorf("not removed: %+v", got)
	}
}

// TestDeviceVariablesInBrowser types two variables without pressing anything between
// them, meets what is wrong beside its field, and finds everything saved.
func TestDeviceVariablesInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	id := s.withVariables(t)
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1280, 800, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open("/devices/" + id)
		tb.shot(shotName("device-variables", look.width, look.scheme))
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("at %d: %s", look.width, problem)
		}
	}
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.open("/devices/" + id)
	tb.do(chromedp.SendKeys(chromedp.CSS("#dv-name-2"), "Site"))
	tb.until("a fourth row", `document.querySelectorAll("[data-row]").length === 4`)
	tb.do(chromedp.SendKeys(chromedp.CSS("#dv-value-2"), "Lab"), chromedp.SendKeys(chromedp.CSS("#dv-name-3"), "two words"), chromedp.SendKeys(chromedp.CSS("#dv-value-3"), "x"+kb.Tab))
	tb.press(`#variables button.btn`)
	tb.until("the problem beside the field", `document.querySelector("#dv-nerr-3")?.textContent.includes("letters, digits")`)
	tb.shot("device-variables-wrong-1280-light")
	tb.fill("#dv-name-3", "Owner")
	tb.press(`#variables button.btn`)
	tb.until("the word that they are saved", `document.querySelector(".banner.good")?.textContent.includes("variables were saved")`)
	tb.noComplaints("variables")
	if strings.Contains(eval[string](tb, "document.documentElement.outerHTML"), sealedWord) {
		t.Error("the secret is in the page")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, v := range s.devices[id].Variables {
		names = append(names, v.Name)
	}
	if got := strings.Join(names, " "); got != "ComputerName JoinPassword Site Owner" || string(s.devices[id].Variables[1].Sealed) != sealedWord {
		t.Errorf("kept %s", got)
	}
}
