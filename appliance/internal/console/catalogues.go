package console

import (
	"context"
	"errors"
	"strings"

	"slipway/appliance/internal/catalogue"
	"slipway/appliance/internal/content"
	"slipway/ui"
)

type catalogues struct{ service *catalogue.Service }

// Vendors implements ui.Catalogues.
func (catalogues) Vendors() (out []ui.CatalogueVendor) {
	for _, v := range catalogue.Vendors() {
		out = append(out, ui.CatalogueVendor{Name: v.Name, URL: v.URL})
	}
	return out
}

// List implements ui.Catalogues.
func (c catalogues) List(context.Context) ([]ui.Catalogue, error) {
	list, err := c.service.List()
	out := make([]ui.Catalogue, 0, len(list))
	for _, i := range list {
		out = append(out, catalogueOf(i))
	}
	return out, translate(err)
}

func catalogueOf(i catalogue.Info) ui.Catalogue {
	return ui.Catalogue{Name: i.Name, From: i.From, Drivers: i.Drivers, Systems: i.Systems, Imported: i.Imported, Left: i.Left, Refreshes: i.Refreshes(), Problem: i.Problem}
}

// Search implements ui.Catalogues.
func (c catalogues) Search(_ context.Context, q ui.CatalogueQuery) ([]ui.CatalogueEntry, int, error) {
	found, total, err := c.service.Search(catalogue.Query{Text: q.Text, Catalogue: q.Catalogue, Kind: q.Kind, OS: q.OS, Skip: q.Skip, Limit: q.Limit})
	out := make([]ui.CatalogueEntry, 0, len(found))
	for _, f := range found {
		item, version, _ := strings.Cut(f.Content, ":")
		out = append(out, ui.CatalogueEntry{Catalogue: f.Catalogue, Kind: f.Kind, Name: f.Name, OS: f.OS, Version: f.Version, Architecture: f.Architecture,
			Manufacturer: f.Manufacturer, Edition: f.Edition, Language: f.LanguageCode, Models: f.Models, Size: f.Size, Released: f.Released,
			Item: item, ItemVersion: version, Fetching: f.Fetching})
	}
	return out, total, translate(err)
}

// Import implements ui.Catalogues.
func (c catalogues) Import(ctx context.Context, by ui.Actor, in ui.ImportCatalogue) (ui.Catalogue, error) {
	i, err := c.service.Import(ctx, contentActor(by), catalogue.Source{Vendor: in.Vendor, URL: in.URL, Text: in.File, File: in.FileName})
	field := "url"
	if in.File != nil {
		field = "file"
	}
	return catalogueOf(i), catalogueError(err, field)
}

// Refresh implements ui.Catalogues.
func (c catalogues) Refresh(ctx context.Context, by ui.Actor, name string) (ui.Catalogue, error) {
	i, err := c.service.Refresh(ctx, contentActor(by), name)
	return catalogueOf(i), catalogueError(err, "url")
}

// Remove implements ui.Catalogues.
func (c catalogues) Remove(ctx context.Context, by ui.Actor, name string) error {
	return catalogueError(c.service.Remove(ctx, contentActor(by), name), "")
}

// catalogueError tells what is wrong with a list beside the field that it came by.
func catalogueError(err error, field string) error {
	for _, known := range []error{catalogue.ErrInvalid, content.ErrInvalid, content.ErrRefused, content.ErrTooLarge} {
		if errors.Is(err, known) {
			return &ui.FieldError{Field: field, Detail: sentence(errors.New(strings.TrimPrefix(err.Error(), known.Error()+": ")), errors.New(""))}
		}
	}
	if errors.Is(err, catalogue.ErrNotThere) {
		return ui.ErrNotFound
	}
	if errors.Is(err, catalogue.ErrNoTool) {
		return &ui.FieldError{Field: field, Detail: sentence(err, catalogue.ErrNoTool)}
	}
	return translate(err)
}
