package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/view"
)

func (c *Console) showContent(v *visit) error {
	p, err := c.page(v, "Content", "content", "jobs")
	if err != nil {
		return err
	}
	all, err := c.backend.Content.List(v.ctx())
	if err != nil {
		return err
	}
	out := view.ContentView{Query: strings.TrimSpace(v.query("q")), Purpose: v.query("purpose"), Total: len(all)}
	for _, i := range all {
		if matchesContent(i, out.Query, out.Purpose) {
			out.Rows = append(out.Rows, view.ContentRow{Item: i.ContentItem, Versions: i.Versions})
		}
	}
	if out.Jobs, err = c.contentJobs(v); err != nil {
		return err
	}
	return c.draw(v, http.StatusOK, view.Content(p, out))
}

func matchesContent(i ContentItem, query, purpose string) bool {
	text := strings.ToLower(strings.Join(append(append([]string{i.Name, i.Description, i.Manufacturer, i.ID}, i.Tags...), i.Models...), "\n"))
	return (purpose == "" || i.Purpose == purpose) && strings.Contains(text, strings.ToLower(query))
}

// jobMemory is how long a finished job stands on the page.
const jobMemory = 15 * time.Minute

func (c *Console) contentJobs(v *visit) (out []view.JobRow, err error) {
	jobs, err := c.backend.Content.Jobs(v.ctx())
	for _, j := range jobs {
		if j.State == "done" || j.State != "running" && c.now().Sub(j.StartedAt) > jobMemory {
			continue
		}
		out = append(out, jobRow(j))
	}
	return out, err
}

func jobRow(j ContentJob) view.JobRow {
	return view.JobRow{ID: j.ID, Kind: j.Kind, Name: j.Name, Running: j.State == "running", Error: j.Error, F: view.JobFields(j.State, j.Stage, j.Done, j.Total)}
}

func (c *Console) showAddContent(v *visit) error {
	out := view.AddContentView{Status: fleet.ContentActive}
	if id := v.query("item"); id != "" {
		i, err := c.backend.Content.Get(v.ctx(), id)
		if err != nil {
			return err
		}
		out.Item, out.Name, out.Purpose = i.ID, i.Name, i.Purpose
	}
	return c.addContentForm(v, http.StatusOK, out)
}

func (c *Console) addContentForm(v *visit, status int, out view.AddContentView) error {
	title := "Add content"
	if out.Item != "" {
		title = "New version of " + out.Name
	}
	p, err := c.page(v, title, "content", "")
	if err != nil {
		return err
	}
	files, err := c.backend.Windows.Sources(v.ctx())
	if err != nil {
		return err
	}
	for _, f := range files {
		out.Files = append(out.Files, view.Option{Value: f.Name, Label: f.Name + ", " + view.Bytes(f.Size), Selected: f.Name == out.Source})
	}
	return c.draw(v, status, view.AddContent(p, out))
}

// addContent takes in what was uploaded. Small things are there at once; for the
// others the list shows how far they are.
func (c *Console) addContent(v *visit) error {
	out := view.AddContentView{Item: v.form("item"), Name: strings.TrimSpace(v.form("name")), Purpose: v.form("purpose"), Description: v.form("description"),
		Command: strings.TrimSpace(v.form("command")), Status: v.form("status"), URL: strings.TrimSpace(v.form("url")), Source: v.form("source"),
		Manufacturer: strings.TrimSpace(v.form("manufacturer")), Models: v.form("models"), Tags: v.form("tags")}
	add := AddContent{Name: out.Name, Purpose: out.Purpose, Status: out.Status, Command: out.Command, URL: out.URL, Source: out.Source,
		ContentChange: ContentChange{Description: out.Description, Manufacturer: out.Manufacturer, Models: lineList(out.Models), Tags: words(out.Tags)}}
	if out.Item != "" {
		add.Name, add.Purpose = out.Item, ""
	}
	for _, text := range v.r.PostForm["upload"] {
		id, path, ok := strings.Cut(text, " ")
		if !ok {
			continue
		}
		add.Uploads = append(add.Uploads, Upload{ID: id, Path: path})
		out.Uploads = append(out.Uploads, view.Option{Value: text, Label: path})
	}
	var job string
	err := error(&FieldError{Field: "files", Detail: "Choose a file, or say where the appliance finds it."})
	switch {
	case min(len(add.Uploads), 1)+min(len(add.URL), 1)+min(len(add.Source), 1) > 1:
		field := "url"
		if add.Source != "" {
			field = "source"
		}
		err = &FieldError{Field: field, Detail: "Give a file, an address or a file of the appliance, only one of them."}
	case out.Name == "" && out.Item == "":
		err = &FieldError{Field: "name", Detail: "Give it a name, e.g. Debian 12."}
	case len(add.Uploads) > 0 || add.URL != "" || add.Source != "":
		job, err = c.backend.Content.Add(v.ctx(), v.actor(), add)
	}
	if err == nil {
		return c.afterAdd(v, job)
	}
	field, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	out.Errors = map[string]string{field: text}
	if !slices.Contains([]string{"name", "purpose", "files", "url", "source", "command", "tags", "models", "manufacturer", "status"}, field) {
		out.Problem = text
	}
	return c.addContentForm(v, http.StatusUnprocessableEntity, out)
}

// afterAdd waits a moment for what is small.
func (c *Console) afterAdd(v *visit, job string) error {
	for range 20 {
		jobs, err := c.backend.Content.Jobs(v.ctx())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(jobs, func(j ContentJob) bool { return j.ID == job })
		switch {
		case i >= 0 && jobs[i].State == "done":
			return done(v, view.ContentURL(jobs[i].Item), "content-added")
		case i < 0 || jobs[i].State != "running":
			return done(v, "/content", "")
		}
		select {
		case <-v.ctx().Done():
			return v.ctx().Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return done(v, "/content", "content-adding")
}

func (c *Console) showContentItem(v *visit) error {
	return c.contentItem(v, http.StatusOK, view.ContentItemView{})
}

func (c *Console) contentItem(v *visit, status int, out view.ContentItemView) error {
	i, err := c.backend.Content.Get(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	p, err := c.page(v, i.Name, "content", "")
	if err != nil {
		return err
	}
	out.Item = i.ContentItem
	for _, version := range i.Versions {
		row := view.ContentVersionRow{V: version}
		files, err := c.backend.Content.Files(v.ctx(), i.ID, version.Version)
		if err != nil {
			row.Problem = "Its list of files cannot be read: it may be damaged. Verify the content."
		}
		for _, f := range files[:min(len(files), filesShown)] {
			row.Files = append(row.Files, view.FileRow{Path: f.Path, Size: f.Size, SHA256: f.SHA256})
		}
		row.More = max(0, len(files)-filesShown)
		if row.Windows, err = c.windowsOf(v, i.ID, version.Version, files); err != nil {
			return err
		}
		out.Versions = append(out.Versions, row)
	}
	if out.UsedBy, err = c.usedBy(v, i.ID); err != nil {
		return err
	}
	return c.draw(v, status, view.ContentItemPage(p, out))
}

// windowsOf are the images in the WIM and ESD files among a version's.
func (c *Console) windowsOf(v *visit, id string, version int, files []ContentFile) (out []view.WindowsFileRow, err error) {
	if !slices.ContainsFunc(files, func(f ContentFile) bool {
		name := strings.ToLower(f.Path)
		return strings.HasSuffix(name, ".wim") || strings.HasSuffix(name, ".esd")
	}) {
		return nil, nil
	}
	list, err := c.backend.Windows.Images(v.ctx(), id, version)
	for _, f := range list {
		row := view.WindowsFileRow{Path: f.Path, Error: f.Error}
		for _, i := range f.Images {
			row.Images = append(row.Images, view.WindowsImageRow{Index: i.Index, Name: i.Name, Description: i.Description, Architecture: i.Architecture,
				Version: i.Version, Languages: strings.Join(i.Languages, ", ")})
		}
		out = append(out, row)
	}
	return out, err
}

// filesShown bounds the list of a folder's files.
const filesShown = 200

// usedBy are the versions of task sequences that name an item, by any version of it.
func (c *Console) usedBy(v *visit, id string) (out []fleet.Sequence, err error) {
	all, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Status == tasksequence.Deprecated {
			continue
		}
		full, err := c.backend.Sequences.Get(v.ctx(), s.ID, s.Version)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if namesContent(full.Body, id) {
			out = append(out, s)
		}
	}
	return out, nil
}

// namesContent looks at every text of a document; ids are random.
func namesContent(body []byte, id string) bool {
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if text, ok := token.(string); ok && (text == id || strings.HasPrefix(text, id+":")) {
			return true
		}
	}
}

func (c *Console) changeContent(v *visit) error {
	change := ContentChange{Name: strings.TrimSpace(v.form("name")), Description: strings.TrimSpace(v.form("description")), Manufacturer: strings.TrimSpace(v.form("manufacturer")),
		Tags: words(v.form("tags")), Models: lineList(v.form("models"))}
	err := c.backend.Content.Change(v.ctx(), v.actor(), v.param("id"), change)
	return c.contentAnswer(v, err, "content-changed")
}

func (c *Console) setContentStatus(v *visit) error {
	version, err := strconv.Atoi(v.form("version"))
	if err != nil {
		return ErrNotFound
	}
	return c.contentAnswer(v, c.backend.Content.SetStatus(v.ctx(), v.actor(), v.param("id"), version, v.form("status")), "content-status")
}

func (c *Console) deleteContent(v *visit) error {
	version, err := strconv.Atoi(v.form("version"))
	if err != nil {
		return ErrNotFound
	}
	err = c.backend.Content.Delete(v.ctx(), v.actor(), v.param("id"), version)
	if err == nil && version == 0 {
		return done(v, "/content", "content-deleted")
	}
	return c.contentAnswer(v, err, "content-deleted")
}

func (c *Console) contentAnswer(v *visit, err error, notice string) error {
	if err == nil {
		return done(v, view.ContentURL(v.param("id")), notice)
	}
	_, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	return c.contentItem(v, http.StatusConflict, view.ContentItemView{Problem: text})
}

func (c *Console) upload(v *visit) error {
	c.backend.Content.ServeUpload(v.w, v.r, v.account.Name)
	return nil
}

// lineList is one item per line: models have blanks and commas in them.
func lineList(text string) (out []string) {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// contentChoices are the items of a purpose that a step may name.
func (c *Console) contentChoices(v *visit, purpose string) (out []view.Option, err error) {
	all, err := c.backend.Content.List(v.ctx())
	for _, i := range all {
		if purpose != "" && i.Purpose != purpose {
			continue
		}
		if slices.ContainsFunc(i.Versions, func(x fleet.ContentVersion) bool { return x.Status == fleet.ContentActive }) {
			out = append(out, view.Option{Value: i.ID, Label: i.Name + ", newest active version"})
		}
		for _, x := range i.Versions {
			out = append(out, view.Option{Value: x.Reference(), Label: i.Name + ", version " + itoa(x.Version) + " (" + statusWords(x.Status) + ")"})
		}
	}
	return out, err
}
