package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/edit"
	"slipway/ui/internal/view"
)

// postedForm gives the editor the fields of a request.
type postedForm struct{ v *visit }

func (f postedForm) Get(name string) string   { return f.v.form(name) }
func (f postedForm) Has(name string) bool     { _, ok := f.v.r.PostForm[name]; return ok }
func (f postedForm) All(name string) []string { return f.v.r.PostForm[name] }

// bench is what the editor works with: a draft and the kinds of steps.
type bench struct {
	id          string
	draft       *edit.Draft
	definitions []tasksequence.Definition
	catalogue   *tasksequence.Catalogue
}

func (c *Console) openBench(v *visit) (*bench, error) {
	body, err := c.backend.Drafts.Get(v.ctx(), v.account.Name, v.param("id"))
	if err != nil {
		return nil, err
	}
	b := &bench{id: v.param("id")}
	if b.draft, err = edit.Read(body); err != nil {
		return nil, err
	}
	if b.definitions, err = c.backend.Sequences.Definitions(v.ctx()); err != nil {
		return nil, err
	}
	b.catalogue, err = tasksequence.NewCatalogue(b.definitions...)
	return b, err
}

func (c *Console) keepDraft(v *visit, id string, d *edit.Draft) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return c.backend.Drafts.Put(v.ctx(), v.account.Name, id, body)
}

// showEditor draws the draft; without one there is nothing to edit yet.
func (c *Console) showEditor(v *visit) error {
	b, err := c.openBench(v)
	if errors.Is(err, ErrNotFound) {
		all, listErr := c.backend.Sequences.List(v.ctx())
		if listErr == nil && slices.ContainsFunc(all, func(s fleet.Sequence) bool { return s.ID == v.param("id") }) {
			return elsewhere(view.SequenceURL(v.param("id"), 0))
		}
	}
	if err != nil {
		return err
	}
	return c.drawEditor(v, http.StatusOK, b, v.query("node"), view.EditorView{})
}

// edit is every press in the editor: first what was typed goes into the draft, then
// what the button says is done.
func (c *Console) edit(v *visit) error {
	if v.form("do") == "open" {
		return c.alone(v, (*Console).openDraft)
	}
	return c.alone(v, (*Console).editDraft)
}

// alone runs a handler that changes drafts while no other does. What it answers is sent
// afterwards: a browser that does not read holds up nobody else.
func (c *Console) alone(v *visit, handle func(*Console, *visit) error) error {
	w := v.w
	answer := &heldAnswer{header: w.Header()}
	v.w = answer
	err := func() error {
		c.editing.Lock()
		defer c.editing.Unlock()
		return handle(c, v)
	}()
	v.w = w
	if err != nil {
		return err
	}
	return answer.send(w)
}

// heldAnswer is an answer that is sent later.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header { return a.header }

func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send passes the answer on. A browser that left is nothing to tell of.
func (a *heldAnswer) send(w http.ResponseWriter) error {
	if a.status != 0 {
		w.WriteHeader(a.status)
		_, _ = a.body.WriteTo(w)
	}
	return nil
}

func (c *Console) editDraft(v *visit) error {
	b, err := c.openBench(v)
	if err != nil {
		return err
	}
	if v.form("do") == "discard" {
		return c.discardDraft(v, b)
	}
	if v.form("revision") != strconv.Itoa(b.draft.Revision) {
		b.apply(v, &b.draft.Sequence, b.draft.Typed) // shown, not kept
		return c.drawEditor(v, http.StatusConflict, b, v.form("node"), view.EditorView{Stale: true})
	}
	node, problem := c.press(v, b)
	if err := c.keepDraft(v, b.id, b.draft); err != nil {
		return err
	}
	if problem != "" {
		return c.drawEditor(v, http.StatusUnprocessableEntity, b, node, view.EditorView{Problem: problem})
	}
	switch v.form("do") {
	case "save", "publish", "save-new":
		return c.saveDraft(v, b, node)
	case "close":
		return c.closeDraft(v, b)
	}
	http.Redirect(v.w, v.r, view.EditURL(b.id, node)+"#form", http.StatusSeeOther)
	return nil
}

// apply takes the fields of the form into a sequence.
func (b *bench) apply(v *visit, s *tasksequence.Sequence, typed map[string]string) string {
	if typed == nil {
		typed = map[string]string{}
	}
	f := postedForm{v}
	if !f.Has(edit.FieldName) {
		return ""
	}
	if v.form("node") == "" {
		edit.ApplySequence(s, f)
		return "Change the task sequence"
	}
	n, _ := edit.Find(s, v.form("node"))
	if n == nil {
		return ""
	}
	d, _ := b.catalogue.Find(n.Definition, n.DefinitionVersion)
	edit.ApplyNode(n, d, f, typed)
	return "Change " + strconv.Quote(n.Name)
}

// press applies the form and does what the button says. It returns the step to show.
func (c *Console) press(v *visit, b *bench) (node, problem string) {
	node = v.form("node")
	title := "Change"
	err := b.draft.Do("", c.now(), func(s *tasksequence.Sequence, typed map[string]string) error {
		title = b.apply(v, s, typed)
		return nil
	})
	if err == nil {
		b.draft.Name(title)
		if to, ok := strings.CutPrefix(v.form("go"), "node:"); ok {
			return to, ""
		}
		node, err = c.act(v, b, node)
	}
	if err != nil {
		return node, said(err)
	}
	return node, ""
}

// said writes an error as a sentence.
func said(err error) string {
	text := strings.TrimSuffix(err.Error(), ".")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// act does what a button beside saving says.
func (c *Console) act(v *visit, b *bench, node string) (string, error) {
	next := node
	if moved := v.form("moved"); moved != "" {
		node = moved // of the tree; what is chosen stays chosen
	}
	name := b.nameOf(node)
	simple := func(title string, fn func(*tasksequence.Sequence, string) error) error {
		return b.draft.Do(title+" "+name, c.now(), func(s *tasksequence.Sequence, _ map[string]string) error { return fn(s, node) })
	}
	var err error
	switch v.form("do") {
	case "undo":
		b.draft.Undo(c.now())
	case "redo":
		b.draft.Redo(c.now())
	case "up":
		err = simple("Move up", edit.Up)
	case "down":
		err = simple("Move down", edit.Down)
	case "in":
		err = simple("Move into a group:", edit.In)
	case "out":
		err = simple("Move out of its group:", edit.Out)
	case "into":
		err = simple("Move", func(s *tasksequence.Sequence, id string) error { return edit.Into(s, id, v.form("target")) })
	case "move":
		at, side := v.form("at"), v.form("side")
		title := "Move " + name + " " + sideWord(side) + " " + b.nameOf(at)
		err = b.draft.Do(title, c.now(), func(s *tasksequence.Sequence, _ map[string]string) error { return edit.Move(s, node, at, side) })
	case "toggle":
		err = simple("Switch", func(s *tasksequence.Sequence, id string) error { return edit.Toggle(s, id) })
	case "remove":
		err = simple("Remove", func(s *tasksequence.Sequence, id string) error {
			near, err := edit.Remove(s, id)
			if n, _ := edit.Find(s, next); n == nil {
				next = near
			}
			return err
		})
	case "duplicate":
		err = simple("Duplicate", func(s *tasksequence.Sequence, id string) (err error) { next, err = edit.Duplicate(s, id); return err })
	case "add", "add-group":
		next, err = c.addNode(v, b, node)
	}
	return next, err
}

// nameOf is how a step stands in the title of a change.
func (b *bench) nameOf(id string) string {
	if n, _ := edit.Find(&b.draft.Sequence, id); n != nil && n.Name != "" {
		return strconv.Quote(n.Name)
	}
	return id
}

func sideWord(side string) string {
	if side == edit.SideBefore || side == edit.SideAfter {
		return side
	}
	return "into"
}

var errKind = errors.New("choose the kind of step first")

func (c *Console) addNode(v *visit, b *bench, after string) (id string, err error) {
	n := tasksequence.Node{Name: "New group", Steps: []tasksequence.Node{}}
	if v.form("do") == "add" {
		d, ok := b.catalogue.Find(v.form("definition"), 0)
		if !ok {
			return after, errKind
		}
		n = tasksequence.Node{Name: d.Name, Definition: d.ID, DefinitionVersion: d.Version}
	}
	err = b.draft.Do("Add "+strconv.Quote(n.Name), c.now(), func(s *tasksequence.Sequence, _ map[string]string) error {
		id = edit.Add(s, after, n)
		return nil
	})
	return id, err
}
