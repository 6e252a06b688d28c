package console

import (
	"context"
	"net/http"
	"strings"

	"slipway/appliance/internal/content"
	"slipway/appliance/internal/imaging"
	"slipway/ui"
)

type contentItems struct {
	service *content.Service
	images  *imaging.Service // knows the files on the appliance
	uploads http.Handler
}

func contentActor(by ui.Actor) content.Actor {
	return content.Actor{Name: by.Name, Address: by.Address.String()}
}

// contentField makes "not valid: name: ..." an error of the field that it names.
func contentField(err error) error {
	_, text, found := strings.Cut(err.Error(), content.ErrInvalid.Error()+": ")
	if !found {
		text = err.Error()
	}
	field, detail, named := strings.Cut(text, ": ")
	if !named || strings.ContainsAny(field, " ,") {
		field, detail = "", text
	}
	return &ui.FieldError{Field: field, Detail: detail}
}

func (c contentItems) List(context.Context) ([]ui.ContentItem, error) {
	list, err := c.service.List()
	out := make([]ui.ContentItem, 0, len(list))
	for _, i := range list {
		out = append(out, ui.ContentItem{ContentItem: i.ContentItem, Versions: i.Versions})
	}
	return out, translate(err)
}

func (c contentItems) Get(_ context.Context, id string) (ui.ContentItem, error) {
	i, err := c.service.Item(id)
	return ui.ContentItem{ContentItem: i.ContentItem, Versions: i.Versions}, translate(err)
}

func (c contentItems) Files(_ context.Context, id string, version int) ([]ui.ContentFile, error) {
	m, err := c.service.Manifest(id, version)
	out := make([]ui.ContentFile, 0, len(m.Files))
	for _, f := range m.Files {
		out = append(out, ui.ContentFile{Path: f.Path, Size: f.Size, SHA256: f.SHA256})
	}
	return out, translate(err)
}

func (c contentItems) Add(ctx context.Context, by ui.Actor, a ui.AddContent) (string, error) {
	in := content.Import{Name: a.Name, Description: a.Description, Purpose: a.Purpose, Tags: a.Tags, Manufacturer: a.Manufacturer, Models: a.Models,
		Command: a.Command, Status: a.Status, URL: a.URL}
	for _, u := range a.Uploads {
		in.Uploads = append(in.Uploads, content.Uploaded{ID: u.ID, Path: u.Path})
	}
	if a.Source != "" {
		path, err := c.images.SourcePath(a.Source)
		if err != nil {
			return "", &ui.FieldError{Field: "source", Detail: "There is no such file in windows/sources any more."}
		}
		in.Path = path
	}
	job, err := c.service.Import(ctx, contentActor(by), in)
	return job.ID, translate(err)
}

func (c contentItems) Jobs(context.Context) ([]ui.ContentJob, error) {
	var out []ui.ContentJob
	for _, j := range c.service.Jobs() {
		row := ui.ContentJob{ID: j.ID, Kind: j.Kind, Name: j.Name, Stage: j.Stage, Done: j.Done, Total: j.Total, State: j.Status, Error: j.Error, StartedAt: j.StartedAt}
		if j.Version != nil {
			row.Item = j.Version.Item
		}
		out = append(out, row)
	}
	return out, nil
}

func (c contentItems) Change(ctx context.Context, by ui.Actor, id string, change ui.ContentChange) error {
	_, err := c.service.SetItem(ctx, contentActor(by), id, content.Change{Name: &change.Name, Description: &change.Description, Tags: &change.Tags,
		Manufacturer: &change.Manufacturer, Models: &change.Models})
	return translate(err)
}

func (c contentItems) SetStatus(ctx context.Context, by ui.Actor, id string, version int, status string) error {
	_, err := c.service.SetStatus(ctx, contentActor(by), id, version, status)
	return translate(err)
}

func (c contentItems) Delete(ctx context.Context, by ui.Actor, id string, version int) error {
	return translate(c.service.Delete(ctx, contentActor(by), id, version))
}

func (c contentItems) ServeUpload(w http.ResponseWriter, r *http.Request, account string) {
	c.uploads.ServeHTTP(w, r.WithContext(content.WithOwner(r.Context(), account)))
}
