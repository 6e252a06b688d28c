package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/browsertest"
	"slipway/ui/internal/edit"
)

// openDraft opens the editor of the sequence "office" with a draft of its own:
// greet, machine(model memory disks), secret, goodbye.
func (tb *tab) openDraft() {
	tb.t.Helper()
	tb.signIn()
	tb.open("/sequences/office?version=3")
	tb.press(`form[action$="/edit"] .primary`)
	tb.until("the tree", `document.querySelector("[data-tree].live") !== null`)
}

// outline is the tree as the page shows it, e.g. "greet machine(model)".
const outlineOf = `[...document.querySelectorAll("[data-tree] [data-node]")].map((li) => "-".repeat(li.dataset.depth) + li.dataset.node).join(" ")`

func (tb *tab) untilOrder(what, want string) {
	tb.t.Helper()
	tb.until(what+" ("+want+")", outlineOf+" === "+quoteJS(want))
}

func quoteJS(s string) string {
	text, _ := json.Marshal(s) // a string always can
	return string(text)
}

// key presses a key with modifiers.
func (tb *tab) key(key string, modifiers ...chromedp.Modifier) {
	tb.t.Helper()
	tb.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

func (tb *tab) focusOn(node string) {
	tb.t.Helper()
	eval[bool](tb, `(document.querySelector('[data-node="`+node+`"] > button').focus(), true)`)
}

// hasFocus is where the keyboard is in the tree.
func hasFocus(node string) string {
	return `document.activeElement?.closest("[data-node]")?.dataset.node === "` + node + `"`
}

func isSaid(text string) string {
	return `document.getElementById("announce").textContent === ` + quoteJS(text)
}

// TestTreeByKeyboard walks, folds and moves without a mouse: the order is in the draft,
// the focus stays on what was moved, and where it stands now is said.
func TestTreeByKeyboard(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.openDraft()
	tb.untilOrder("the steps", "greet machine -model -memory -disks secret goodbye")
	if n := eval[int](tb, `document.querySelectorAll('[data-tree] button[tabindex="0"]').length`); n != 1 {
		t.Errorf("the Tab key stops %d times in the tree", n)
	}
	tb.focusOn("greet")
	tb.key(kb.ArrowDown, chromedp.ModifierAlt)
	tb.untilOrder("below the group", "machine -model -memory -disks greet secret goodbye")
	tb.until("the focus", hasFocus("greet"))
	tb.until("the place to be said", isSaid("Say hello moved: 2 of 4 at the top level"))
	tb.key(kb.ArrowRight, chromedp.ModifierAlt)
	tb.untilOrder("into the group", "machine -model -memory -disks -greet secret goodbye")
	tb.until("the place to be said", isSaid("Say hello moved: 4 of 4 in About this machine"))
	tb.key(kb.ArrowUp, chromedp.ModifierAlt)
	tb.untilOrder("up in the group", "machine -model -memory -greet -disks secret goodbye")
	tb.until("the focus", hasFocus("greet"))
	tb.key(kb.ArrowLeft, chromedp.ModifierAlt)
	tb.untilOrder("out of the group", "machine -model -memory -disks greet secret goodbye")
	tb.key(kb.ArrowRight, chromedp.ModifierAlt)
	tb.untilOrder("in again", "machine -model -memory -disks -greet secret goodbye")
	tb.key(kb.ArrowRight, chromedp.ModifierAlt)
	tb.until("that nothing changed", isSaid("Say hello stays where it is: 4 of 4 in About this machine"))

	tb.key("z", chromedp.ModifierCtrl)
	tb.untilOrder("taken back", "machine -model -memory -disks greet secret goodbye")
	tb.until("what was taken back", isSaid(`Taken back: Move into a group: "Say hello"`))
	tb.until("the focus", hasFocus("greet"))
	tb.key("y", chromedp.ModifierCtrl)
	tb.untilOrder("made again", "machine -model -memory -disks -greet secret goodbye")

	tb.key(kb.ArrowLeft)
	tb.until("the group", hasFocus("machine"))
	tb.key(kb.ArrowLeft)
	tb.until("the folded group", `document.querySelector('[data-node="machine"] > button').getAttribute("aria-expanded") === "false" && document.querySelector('[data-node="greet"]').hidden`)
	tb.key(kb.ArrowDown)
	tb.until("the step below what is folded", hasFocus("secret"))
	tb.key(kb.ArrowRight, chromedp.ModifierAlt)
	tb.untilOrder("into the folded group, which opens", "machine -model -memory -disks -greet -secret goodbye")
	tb.until("the focus on what can be seen", hasFocus("secret")+` && !document.querySelector('[data-node="secret"]').hidden`)
	tb.key(kb.Delete)
	tb.untilOrder("removed", "machine -model -memory -disks -greet goodbye")
	tb.until("the focus on the next", hasFocus("goodbye"))
	tb.key(kb.End)
	tb.key(kb.Home)
	tb.until("the first", hasFocus("machine"))
	tb.noComplaints("the tree")

	if got := fmt.Sprint(outlineDraft(t, s)); got != "machine(model memory disks greet) goodbye" {
		t.Errorf("the draft: %s", got)
	}
}

func outlineDraft(t *testing.T, s *site) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := edit.Read(s.drafts["anna\noffice"])
	if err != nil {
		t.Fatal(err)
	}
	return outline(d.Sequence.Steps)
}

func outline(nodes []tasksequence.Node) string {
	var words []string
	for i := range nodes {
		word := nodes[i].ID
		if nodes[i].IsGroup() {
			word += "(" + outline(nodes[i].Steps) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// point is a place in a row of the tree: part is 0 at its top and 1 at its bottom.
func (tb *tab) point(node string, part float64) (x, y float64) {
	tb.t.Helper()
	at := eval[[]float64](tb, fmt.Sprintf(`(() => { const r = document.querySelector('[data-node="%s"] .what').closest("li").getBoundingClientRect(); return [r.left + 80, r.top + r.height * %g]; })()`, node, part))
	return at[0], at[1]
}

func (tb *tab) mouse(kind input.DispatchMouseEventType, x, y float64) {
	tb.t.Helper()
	p := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1}
	if kind == input.DispatchMouseEventTypeMouseReleased {
		p.Buttons = 0
	}
	if _, err := chromedp.Call(tb.ctx, input.DispatchMouseEvent, p); err != nil {
		tb.t.Fatal(err)
	}
}

// drag takes a row to a place, by levels to the right, and lets go unless keep is set.
func (tb *tab) drag(node, to string, part float64, levels int, keep bool) {
	tb.t.Helper()
	x0, y0 := tb.point(node, 0.5)
	_, y := tb.point(to, part)
	x := x0 + float64(levels*18)
	tb.mouse(input.DispatchMouseEventTypeMousePressed, x0, y0)
	tb.mouse(input.DispatchMouseEventTypeMouseMoved, x0+3, y0+8)
	tb.mouse(input.DispatchMouseEventTypeMouseMoved, x, y)
	tb.until("the drag to be shown", `document.querySelector(".ghost") !== null`)
	if !keep {
		tb.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
	}
}

// TestTreeByMouse drags steps and a group; the order is saved in the draft, a press of
// Escape changes nothing, and everything can be taken back.
func TestTreeByMouse(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.openDraft()
	const start = "greet machine -model -memory -disks secret goodbye"
	tb.untilOrder("the steps", start)
	tb.drag("goodbye", "greet", 0.1, 0, true)
	tb.until("the line", `document.querySelector(".line:not([hidden])") !== null`)
	tb.shot("editor-drag-1280-light")
	tb.key(kb.Escape)
	tb.until("nothing to be dragged", `document.querySelector(".ghost") === null`)
	x, y := tb.point("greet", 0.1)
	tb.mouse(input.DispatchMouseEventTypeMouseReleased, x, y)
	tb.drag("goodbye", "greet", 0.1, 0, false)
	tb.untilOrder("to the top", "goodbye greet machine -model -memory -disks secret")
	tb.until("the place to be said", isSaid("Say goodbye moved: 1 of 4 at the top level"))
	tb.drag("goodbye", "machine", 0.5, 0, false)
	tb.untilOrder("into the group", "greet machine -model -memory -disks -goodbye secret")
	tb.drag("goodbye", "disks", 0.9, -1, false)
	tb.untilOrder("out of it, by the level", "greet machine -model -memory -disks goodbye secret")
	tb.drag("secret", "machine", 0.9, 1, false)
	tb.untilOrder("first in the group", "greet machine -secret -model -memory -disks goodbye")
	tb.drag("machine", "goodbye", 0.9, 0, false)
	tb.untilOrder("the whole group", "greet goodbye machine -secret -model -memory -disks")
	tb.until("the focus", hasFocus("machine"))
	if got := outlineDraft(t, s); got != "greet goodbye machine(secret model memory disks)" {
		t.Errorf("the draft: %s", got)
	}
	if undo := eval[string](tb, `document.querySelector("[value=undo]").title`); undo != `Take back: Move "About this machine" after "Say goodbye"` {
		t.Errorf("what can be taken back is called %s", undo)
	}
	for range 5 {
		revision := eval[string](tb, `document.querySelector("[name=revision]").value`)
		tb.press(`[value="undo"]`)
		tb.until("one back", `document.querySelector("[name=revision]").value !== `+quoteJS(revision))
	}
	tb.untilOrder("all taken back", start)
	tb.noComplaints("dragging")
}

// TestTreeByTouch drags at the grip with a finger, while a finger beside it scrolls.
func TestTreeByTouch(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 390, 844, "light")
	if _, err := chromedp.Call(tb.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true, MaxTouchPoints: 1}); err != nil {
		t.Fatal(err)
	}
	tb.openDraft()
	touch := func(kind input.DispatchTouchEventType, at ...float64) {
		t.Helper()
		p := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
		if len(at) == 2 {
			p.TouchPoints = append(p.TouchPoints, &input.TouchPoint{X: at[0], Y: at[1]})
		}
		if _, err := chromedp.Call(tb.ctx, input.DispatchTouchEvent, p); err != nil {
			t.Fatal(err)
		}
	}
	grip := func(node string) (x, y float64) {
		at := eval[[]float64](tb, `(() => { const r = document.querySelector('[data-node="`+node+`"] .grip').getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2, r.width, r.height]; })()`)
		if at[2] < 24 || at[3] < 24 {
			t.Errorf("the grip is %g by %g pixels", at[2], at[3])
		}
		return at[0], at[1]
	}
	x, y := grip("secret")
	_, top := tb.point("greet", 0.1)
	touch(input.DispatchTouchEventTypeTouchStart, x, y)
	touch(input.DispatchTouchEventTypeTouchMove, x, y-12)
	touch(input.DispatchTouchEventTypeTouchMove, x, top)
	tb.until("the line", `document.querySelector(".line:not([hidden])") !== null`)
	tb.shot("editor-touch-390-light")
	touch(input.DispatchTouchEventTypeTouchEnd)
	tb.untilOrder("to the top", "secret greet machine -model -memory -disks goodbye")

	x, y = tb.point("goodbye", 0.5)
	touch(input.DispatchTouchEventTypeTouchStart, x, y)
	touch(input.DispatchTouchEventTypeTouchMove, x, y-40)
	touch(input.DispatchTouchEventTypeTouchMove, x, y-200)
	touch(input.DispatchTouchEventTypeTouchEnd)
	tb.until("the page to have been scrolled", `scrollY > 50`)
	tb.untilOrder("the same", "secret greet machine -model -memory -disks goodbye")
	tb.noComplaints("touch")
}

// TestEditorWithoutAnswer: a press that the appliance does not answer loses nothing that
// was typed, and neither does an ended session.
func TestEditorWithoutAnswer(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.openDraft()
	tb.press(`[data-node="greet"] > button`)
	tb.until("the step", `document.getElementById("name")?.value === "Say hello"`)
	tb.fill("#name", "Typed before the cable came off")
	const place = `document.querySelector("#form > .row .primary").getBoundingClientRect().top`
	before := eval[float64](tb, place)
	s.line.cut(true)
	tb.until("the word that the page is not live", `document.getElementById("notlive").checkVisibility()`)
	if at := eval[float64](tb, place); at != before {
		t.Errorf("the button moved from %v to %v under who is about to press it", before, at)
	}
	tb.shot(shotName("editor-notlive", 1280, "light"))
	tb.press("#form > .row .primary")
	tb.until("the word that it was not taken", `document.getElementById("unsent")?.textContent.includes("did not answer")`)
	s.line.cut(false)
	tb.until("the page to be live again", `!document.getElementById("notlive").checkVisibility()`)
	tb.press("#form > .row .primary")
	tb.until("the step in the draft", `document.querySelector('[data-node="greet"] .what').textContent.includes("Typed before the cable came off") && document.getElementById("unsent") === null`)

	// The stream, too, notices the end of a session, every 15 seconds, and leaves the page.
	eval[bool](tb, `(document.dispatchEvent(new CustomEvent("slipway:pause")), true)`)
	tb.fill("#name", "Typed before the sign-in ended")
	s.mu.Lock()
	clear(s.sessions)
	s.mu.Unlock()
	tb.press("#form > .row .primary")
	tb.until("the word that one is signed out", `document.getElementById("unsent")?.textContent.includes("signed out")`)
	if got := eval[string](tb, `document.getElementById("name").value`); got != "Typed before the sign-in ended" {
		t.Errorf("the field holds %q", got)
	}
}

// TestLongSequence: 300 steps are moved among quickly, and the tree stays where it was
// scrolled to.
func TestLongSequence(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	seq := tasksequence.Sequence{Format: tasksequence.Format, ID: "long", Version: 1, Name: "Workstations of the engineering department, with everything that they need on the first day", Status: tasksequence.InDevelopment}
	for g := range 20 {
		group := tasksequence.Node{ID: fmt.Sprintf("g%d", g), Name: fmt.Sprintf("Part %d", g+1), Steps: []tasksequence.Node{}}
		for i := range 14 {
			group.Steps = append(group.Steps, tasksequence.Node{ID: fmt.Sprintf("s%d-%d", g, i), Name: fmt.Sprintf("Install package %d of part %d", i+1, g+1), Definition: "run-command-line",
				Settings: map[string]json.RawMessage{"Command": json.RawMessage(`"true"`)}})
		}
		seq.Steps = append(seq.Steps, group)
	}
	body, err := json.Marshal(seq)
	if err != nil {
		t.Fatal(err)
	}
	s.sequences = append(s.sequences, fleet.Sequence{ID: "long", Version: 1, Name: seq.Name, Status: seq.Status, Body: body, UpdatedAt: time.Now()})
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1280, 800, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		tb.open("/sequences/long?version=1")
		tb.press(`form[action$="/edit"] .primary`)
		tb.until("the tree", `document.querySelectorAll("[data-tree].live [data-node]").length === 300`)
		tb.shot(shotName("editor-long", look.width, look.scheme))
		for _, problem := range eval[[]string](tb, accessibility) {
			t.Errorf("the long editor at %d: %s", look.width, problem)
		}
		if look.width < 720 {
			continue
		}
		tb.focusOn("s15-3")
		before := eval[float64](tb, `document.querySelector("[data-tree]").scrollTop`)
		if before < 1000 {
			t.Fatalf("the tree does not scroll: %g", before)
		}
		began := time.Now()
		for range 5 {
			tb.key(kb.ArrowDown, chromedp.ModifierAlt)
		}
		tb.until("five moves down", `document.querySelector('[data-node="s15-3"]').dataset.place === "9"`)
		t.Logf("five moves among 300 steps: %s", time.Since(began))
		if after := eval[float64](tb, `document.querySelector("[data-tree]").scrollTop`); after < before-10 || after > before+400 {
			t.Errorf("the tree was scrolled from %g to %g", before, after)
		}
		tb.until("the focus", hasFocus("s15-3"))
		before = eval[float64](tb, `(document.querySelector("[data-tree]").scrollTop -= 900)`)
		tb.press(`[value="undo"]`)
		tb.until("one back", `document.querySelector('[data-node="s15-3"]').dataset.place === "8"`)
		if after := eval[float64](tb, `document.querySelector("[data-tree]").scrollTop`); after != before {
			t.Errorf("undoing scrolled the tree from %g to %g", before, after)
		}
		tb.press("[data-fold-all]")
		tb.until("the groups alone", `document.querySelectorAll("[data-tree] [data-node]:not([hidden])").length === 20`)
		tb.shot(shotName("editor-folded", look.width, look.scheme))
		tb.noComplaints("the long editor")
	}
}
