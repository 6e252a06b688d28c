package tasksequence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// contentShelf stands in for the appliance's content: an application with versions 1
// (deprecated), 2 and 3 (active), an image, and an item without an active version.
func contentShelf(ref Reference, purpose string) (Content, error) {
	shelf := map[string]Content{"app": {Version: 3, Purpose: PurposeApplication}, "image": {Version: 1, Purpose: PurposeOperatingSystem}, "draft": {Purpose: PurposeOther}}
	c, ok := shelf[ref.ID]
	fail := func(err error) (Content, error) { return Content{}, fmt.Errorf("%s: %w", ref, err) }
	switch {
	case !ok, ref.Version > c.Version:
		return fail(ErrNoContent)
	case purpose != "" && purpose != c.Purpose:
		return fail(ErrContentPurpose)
	case ref.ID == "app" && ref.Version == 1:
		return fail(ErrContentDeprecated)
	case c.Version == 0:
		return fail(ErrContentInactive)
	}
	c.ID, c.Name, c.Size = ref.ID, "The "+ref.ID, 1000
	if ref.Version > 0 {
		c.Version = ref.Version
	}
	return c, nil
}

// withContent is the built-in catalogue and a definition with two content options.
func withContent(t testing.TB) Sources {
	t.Helper()
	install := Definition{Format: Format, ID: "install", Version: 1, Name: "Install", Category: "Test", Environments: allEnvironments(),
		Interruption: RunAgain, Executor: "install", Options: []Option{
			{Name: "Application", Label: "Application", Type: TypeContent, Purpose: PurposeApplication, Required: true},
			{Name: "Extra", Label: "Extra", Type: TypeContent},
		}}
	c, err := NewCatalogue(append(Builtin(), install)...)
	if err != nil {
		t.Fatal(err)
	}
	return Sources{Catalogue: c, Sequences: among(), Content: contentShelf}
}

func install(id, settings string, more ...string) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"definition":"install","settings":{%s}%s}`, id, id, settings, strings.Join(more, ""))
}

func TestContentVersionsAreSettledAtTheStart(t *testing.T) {
	s := parse(t, sequenceOf(install("newest", `"Application":"app"`)+","+install("named", `"Application":"app:2","Extra":"image:1"`)+","+
		group("off", `,"disabled":true`, install("gone", `"Application":"gone"`))))
	doc, err := Pin(s, withContent(t))
	if err != nil {
		t.Fatal(err)
	}
	run := newRun(t, doc, NewVariables())
	var got []string
	for range 2 {
		e := run.Next().(Execute)
		ref, _ := e.Settings.Content("Application")
		extra, set := e.Settings.Content("Extra")
		got = append(got, fmt.Sprintf("%s %s %v", ref, extra, set))
		if err := run.Record(Result{Path: e.Path, Status: Succeeded}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"app:3  false", "app:2 image:1 true"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if len(doc.Content) != 3 || doc.Content["app:3"].Name != "The app" || doc.Content["image:1"].Purpose != PurposeOperatingSystem {
		t.Errorf("the document names %+v", doc.Content)
	}
	if text, _ := json.Marshal(s); strings.Contains(string(text), "app:3") {
		t.Error("pinning changed the sequence itself")
	}
}

func TestContentProblemsNameStepFieldAndRemedy(t *testing.T) {
	s := parse(t, sequenceOf(group("g", "", install("a", `"Application":"gone"`))+","+install("b", `"Application":"app:1"`)+","+
		install("c", `"Application":"image"`)+","+install("d", `"Application":"app","Extra":"draft"`)+","+install("e", `"Application":"app:9"`)))
	got := strings.Split(Validate(s, withContent(t)).Error(), "\n")
	want := []string{
		"step g/a (a): settings.Application: gone: there is no such content. Choose another item, or add this one.",
		"step b (b): settings.Application: app:1: this version of the content is deprecated. Choose a newer version, leave the version out for the newest active one, or make this version active again.",
		"step c (c): settings.Application: image: the content has another purpose. Choose an item of the right purpose.",
		"step d (d): settings.Extra: draft: no version of the content is active. Make a version of the item active, or name one as id:version.",
		"step e (e): settings.Application: app:9: there is no such content. Choose another item, or add this one.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestContentSettingsAreNeverFilledIn(t *testing.T) {
	s := parse(t, sequenceOf(install("a", `"Application":"%App%"`)+","+install("b", `"Application":""`)+","+install("c", `"Application":["app"]`)))
	p := Check(s, withContent(t).Catalogue)
	if len(p) != 3 || !strings.Contains(p[0].Detail, "%App%") || !strings.Contains(p[1].Detail, "needed") || !strings.Contains(p[2].Detail, "not a list") {
		t.Errorf("got %v", p)
	}
}

func TestContentOfChildrenIsPinnedToo(t *testing.T) {
	from := withContent(t)
	child := parse(t, `{"id":"child","version":2,"name":"Child","steps":[`+install("x", `"Application":"app"`)+`,`+install("y", `"Application":"gone"`)+`]}`)
	from.Sequences = among(child)
	main := parse(t, sequenceOf(`{"id":"call","name":"call","definition":"run-task-sequence","settings":{"Sequence":"child"}}`))
	_, err := Pin(main, from)
	if err == nil || !strings.HasPrefix(err.Error(), "step Child: y (y): settings.Application: gone") {
		t.Fatalf("got %v", err)
	}
	child.Steps = child.Steps[:1]
	from.Sequences = among(child)
	doc, err := Pin(main, from)
	if err != nil || doc.Content["app:3"].ID != "app" {
		t.Errorf("got %+v, %v", doc, err)
	}
}
