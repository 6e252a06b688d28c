package ui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/ui/internal/edit"
)

// editing is an administrator with a draft of "office", version 4, in development.
func editing(t *testing.T, f *fake, name string) *visitor {
	t.Helper()
	f.addAccount(name, "correct horse", fleet.RoleAdministrator)
	v := &visitor{t: t, c: newConsole(t, f)}
	v.signIn(name, "correct horse")
	v.get("/sequences/office?version=4")
	if res := v.post("/sequences/office/edit", map[string]string{"do": "open", "version": "4"}); res.Code != http.StatusSeeOther {
		t.Fatalf("opening the editor: %d", res.Code)
	}
	v.get("/sequences/office/edit")
	return v
}

func (f *fake) draft(t *testing.T, name string) *edit.Draft {
	t.Helper()
	d, err := edit.Read(f.drafts[name+"\noffice"])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// press sends the form of a step as its page would.
func (v *visitor) press(d *edit.Draft, node string, fields map[string]string) int {
	v.t.Helper()
	all := map[string]string{"revision": strconv.Itoa(d.Revision), "node": node, "name": "Say hello", "enabled": "yes"}
	for k, x := range fields {
		all[k] = x
	}
	return v.post("/sequences/office/edit", all).Code
}

// TestTwoEditors: the second to save is told, loses nothing, and can keep both.
func TestTwoEditors(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	anna, bert := editing(t, f, "anna"), editing(t, f, "bert")
	if code := anna.press(f.draft(t, "anna"), "greet", map[string]string{"do": "save", "set.Command": "echo anna"}); code != http.StatusSeeOther {
		t.Fatalf("the first save: %d", code)
	}
	if code := bert.press(f.draft(t, "bert"), "greet", map[string]string{"do": "save", "set.Command": "echo bert"}); code != http.StatusConflict {
		t.Fatalf("the second save: %d", code)
	}
	if !strings.Contains(string(f.drafts["bert\noffice"]), "echo bert") {
		t.Error("what the second one typed is lost")
	}
	if code := bert.press(f.draft(t, "bert"), "greet", map[string]string{"do": "save-new", "set.Command": "echo bert"}); code != http.StatusSeeOther {
		t.Fatalf("keeping both: %d", code)
	}
	var bodies []string
	for _, s := range f.sequences {
		if s.ID == "office" && s.Version >= 4 {
			bodies = append(bodies, string(s.Body))
		}
	}
	if len(bodies) != 2 || !strings.Contains(bodies[0], "echo anna") || !strings.Contains(bodies[1], "echo bert") {
		t.Errorf("the versions: %q", bodies)
	}
}

// TestWhatIsTypedStays: a number that is none, a form from an older page, a change
// that is taken back.
func TestWhatIsTypedStays(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	v := editing(t, f, "anna")
	d := f.draft(t, "anna")
	if code := v.press(d, "greet", map[string]string{"do": "apply", "set.Command": "echo 1", "retries": "often"}); code != http.StatusSeeOther {
		t.Fatal(code)
	}
	page := v.get("/sequences/office/edit?node=greet").Body.String()
	if !strings.Contains(page, `value="often"`) || !strings.Contains(page, "is not a whole number") {
		t.Error("the number that is none is gone, or nothing is said")
	}
	res := v.post("/sequences/office/edit", map[string]string{"revision": strconv.Itoa(d.Revision), "node": "greet", "name": "Typed in an old window", "do": "remove"})
	if res.Code != http.StatusConflict || !strings.Contains(res.Body.String(), "Typed in an old window") {
		t.Errorf("a form of an older page: %d", res.Code)
	}
	d = f.draft(t, "anna")
	if n, _ := edit.Find(&d.Sequence, "greet"); n == nil || n.Name != "Say hello" {
		t.Errorf("the older form changed the draft: %+v", n)
	}
	v.post("/sequences/office/edit", map[string]string{"revision": strconv.Itoa(d.Revision), "node": "greet", "do": "undo"})
	d = f.draft(t, "anna")
	if n, _ := edit.Find(&d.Sequence, "greet"); strings.Contains(string(n.Settings["Command"]), "echo 1") {
		body, _ := json.Marshal(n)
		t.Errorf("not taken back: %s", body)
	}
	if code := v.press(d, "greet", map[string]string{"do": "discard"}); code != http.StatusSeeOther || f.drafts["anna\noffice"] != nil {
		t.Errorf("discarding: %d", code)
	}
}

// stalled is a browser that does not read: its answer waits until it does.
type stalled struct {
	*httptest.ResponseRecorder
	waits chan struct{} // closed when something was written
	reads chan struct{}
}

func (s *stalled) Write(p []byte) (int, error) {
	close(s.waits)
	<-s.reads
	return s.ResponseRecorder.Write(p)
}

// TestAStalledBrowserHoldsUpNobody: while one browser does not take its answer, others edit.
func TestAStalledBrowserHoldsUpNobody(t *testing.T) {
	f := newFake(time.Now)
	f.furnish()
	anna := editing(t, f, "anna")
	f.addAccount("bert", "correct horse", fleet.RoleAdministrator)
	bert := &visitor{t: t, c: anna.c}
	bert.signIn("bert", "correct horse")
	bert.get("/sequences/office?version=4")

	s := &stalled{ResponseRecorder: httptest.NewRecorder(), waits: make(chan struct{}), reads: make(chan struct{})}
	form := url.Values{"csrf": {anna.csrf}, "revision": {"0"}, "node": {"greet"}, "do": {"apply"}}
	r := httptest.NewRequest(http.MethodPost, "https://slipway.test/sequences/office/edit", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range anna.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		anna.c.ServeHTTP(s, r)
	}()
	<-s.waits
	edited := make(chan int, 1)
	go func() {
		edited <- bert.post("/sequences/office/edit", map[string]string{"do": "open", "version": "4"}).Code
	}()
	select {
	case code := <-edited:
		if code != http.StatusSeeOther {
			t.Errorf("the other one: %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody else can edit")
	}
	close(s.reads)
	<-over
	if s.Code != http.StatusConflict {
		t.Errorf("the stalled one: %d", s.Code)
	}
}
