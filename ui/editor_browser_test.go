package ui

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"slipway/tasksequence"
	"slipway/ui/browsertest"
)

// TestEditorInBrowser makes a task sequence from blank, adds a step, meets what is
// wrong beside its field, mends it and publishes.
func TestEditorInBrowser(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/sequences/new")
	tb.fill("#name", "Front desk")
	tb.press("form.grid .primary")
	tb.until("the editor", `document.querySelector("#editor h1")?.textContent === "Front desk"`)

	tb.press(`[value="add-group"]`)
	tb.until("the group", `document.querySelectorAll("[data-tree] [data-node]").length === 1`)
	tb.fill("#name", "Prepare")
	tb.do(setSelect("#add", "run-command-line"))
	tb.press(`[value="add"]`)
	tb.until("the step in its group", `document.querySelector("[data-tree] .d1 [aria-current=true]") !== null`)
	tb.until("the problem beside the field", `document.getElementById("o-Command-err")?.textContent.includes("A value is needed")`)
	if got := eval[string](tb, `document.getElementById("o-Command").getAttribute("aria-invalid")`); got != "true" {
		t.Errorf("aria-invalid is %q", got)
	}
	tb.do(setSelect("#condition", "all"))
	tb.press("#form > .row .primary")
	tb.until("a row for a comparison", `document.querySelector("[name=condVariable]") !== null`)
	tb.press(`.head [value="publish"]`)
	tb.until("the refusal", `document.querySelector(".banner.bad")?.textContent.includes("not saved yet")`)
	tb.shot("editor-wrong-1280-light")
	tb.do(chromedp.SendKeys(chromedp.CSS("#o-Command"), "echo hello"))
	tb.fill("[name=condVariable]", "Make")
	tb.fill("[name=condOperand]", "Dell Inc.")
	tb.press(`.head [value="publish"]`)
	tb.until("the published version", `document.querySelector(".banner.good")?.textContent.includes("Published")`)
	tb.noComplaints("editor")

	last := s.sequences[len(s.sequences)-1]
	var doc tasksequence.Sequence
	if err := json.Unmarshal(last.Body, &doc); err != nil {
		t.Fatal(err)
	}
	if last.Name != "Front desk" || last.Status != tasksequence.Active || len(doc.Steps) != 1 || doc.Steps[0].Name != "Prepare" || len(doc.Steps[0].Steps) != 1 {
		t.Fatalf("published: %s", last.Body)
	}
	step := doc.Steps[0].Steps[0]
	if string(step.Settings["Command"]) != `"echo hello"` || step.Condition == nil || step.Condition.Operand.Text != "Dell Inc." {
		t.Errorf("the step: %+v", step)
	}
}

// TestEditorLooks draws the editor of a long sequence wide and narrow.
func TestEditorLooks(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1280, 800, "light"}, {1280, 800, "dark"}, {390, 844, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open("/sequences/office?version=3")
		tb.press(`form[action$="/edit"] .primary`)
		tb.until("the editor", `document.querySelector("#editor") !== null && document.readyState === "complete"`)
		for _, node := range []string{"", "secret", "disks", "machine"} {
			tb.open("/sequences/office/edit?node=" + node)
			tb.until("the editor", `document.querySelector("#editor") !== null && document.readyState === "complete"`)
			tb.shot(shotName("editor-"+cmp.Or(node, "sequence"), look.width, look.scheme))
			tb.noComplaints("editor " + node)
			for _, problem := range eval[[]string](tb, accessibility) {
				t.Errorf("editor %s at %d: %s", node, look.width, problem)
			}
			if strings.Contains(eval[string](tb, "document.documentElement.outerHTML"), "hunter2-plain") && node == "secret" {
				t.Error("a secret is in the page")
			}
		}
	}
}
