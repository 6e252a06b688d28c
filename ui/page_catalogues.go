package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"slipway/ui/internal/view"
)

const (
	cataloguesPage = "/content/catalogues"

	// cataloguePage is the number of entries on a page.
	cataloguePage = 25
)

func (c *Console) showCatalogues(v *visit) error {
	return c.catalogues(v, http.StatusOK, "")
}

// catalogues draws the lists and what was searched for in them.
func (c *Console) catalogues(v *visit, status int, problem string) error {
	p, err := c.page(v, "Catalogues", "content", "changed:content,changed:contentjob")
	if err != nil {
		return err
	}
	t := readTable(v, nil, "")
	out := view.CataloguesView{Problem: problem, Query: t.text, Catalogue: v.query("catalogue"), Kind: v.query("kind"), OS: v.query("os")}
	lists, err := c.backend.Catalogues.List(v.ctx())
	if err != nil {
		return err
	}
	for _, l := range lists {
		out.Lists = append(out.Lists, view.CatalogueRow{Name: l.Name, From: l.From, Drivers: l.Drivers, Systems: l.Systems, Imported: l.Imported, Left: l.Left, Refreshes: l.Refreshes, Problem: l.Problem})
	}
	q := CatalogueQuery{Text: out.Query, Catalogue: out.Catalogue, Kind: out.Kind, OS: out.OS, Skip: (t.page - 1) * cataloguePage, Limit: cataloguePage}
	found, total, err := c.backend.Catalogues.Search(v.ctx(), q)
	if err != nil {
		return err
	}
	for _, e := range found {
		out.Entries = append(out.Entries, entryRow(e))
	}
	link := func(page int) string {
		values := url.Values{"page": {itoa(page)}}
		for name, value := range map[string]string{"q": out.Query, "catalogue": out.Catalogue, "kind": out.Kind, "os": out.OS} {
			if value != "" {
				values.Set(name, value)
			}
		}
		return pageURL(cataloguesPage, values) + "#entries-h"
	}
	if out.Pager = (view.Pager{From: q.Skip + 1, To: q.Skip + len(found), Total: total}); len(found) == 0 {
		out.Pager.Total = 0
	}
	if t.page > 1 {
		out.Pager.Prev = link(t.page - 1)
	}
	if q.Skip+len(found) < total {
		out.Pager.Next = link(t.page + 1)
	}
	return c.draw(v, status, view.Catalogues(p, out))
}

func entryRow(e CatalogueEntry) view.EntryRow {
	return view.EntryRow{Catalogue: e.Catalogue, Kind: e.Kind, Name: e.Name, Maker: e.Manufacturer, Models: e.Models, Size: e.Size, Released: e.Released,
		For:  strings.Join(strings.Fields(strings.Join([]string{e.OS, e.Version, e.Architecture, e.Edition, e.Language}, " ")), " "),
		Item: e.Item, Version: e.ItemVersion, Fetching: e.Fetching}
}

func (c *Console) showAddCatalogue(v *visit) error {
	return c.addCatalogueForm(v, http.StatusOK, view.AddCatalogueView{Vendor: v.query("vendor")})
}

func (c *Console) addCatalogueForm(v *visit, status int, out view.AddCatalogueView) error {
	p, err := c.page(v, "Add a catalogue", "content", "")
	if err != nil {
		return err
	}
	lists, err := c.backend.Catalogues.List(v.ctx())
	if err != nil {
		return err
	}
	for _, m := range c.backend.Catalogues.Vendors() {
		there := slices.ContainsFunc(lists, func(l Catalogue) bool { return l.Name == m.Name })
		out.Vendors = append(out.Vendors, view.VendorRow{Name: m.Name, URL: m.URL, There: there})
	}
	out.Vendor = cmp.Or(out.Vendor, out.Vendors[0].Name)
	return c.draw(v, status, view.AddCatalogue(p, out))
}

// ownCatalogue is the choice of a catalogue in the appliance's own form.
const ownCatalogue = view.OwnCatalogue

func (c *Console) addCatalogue(v *visit) error {
	out := view.AddCatalogueView{Vendor: v.form("vendor"), URL: strings.TrimSpace(v.form("url"))}
	in := ImportCatalogue{Vendor: out.Vendor, URL: out.URL}
	if in.Vendor == ownCatalogue {
		in.Vendor = ""
	}
	var err error
	if in.File, in.FileName, err = uploadedAs(v, "file"); err != nil {
		return err
	}
	switch {
	case out.Vendor == "":
		err = &FieldError{Field: "vendor", Detail: "Choose whose list it is."}
	case in.File != nil && in.URL != "":
		err = &FieldError{Field: "url", Detail: "Give a file or an address, not both."}
	case in.File == nil && in.URL == "" && in.Vendor == "":
		err = &FieldError{Field: "url", Detail: "Give the address of your list, or choose its file."}
	default:
		var added Catalogue
		if added, err = c.backend.Catalogues.Import(v.ctx(), v.actor(), in); err == nil {
			return done(v, cataloguesPage+"?catalogue="+url.QueryEscape(added.Name), "catalogue-added")
		}
	}
	field, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	out.Errors = map[string]string{field: text}
	if !slices.Contains([]string{"vendor", "url", "file"}, field) {
		out.Problem = text
	}
	return c.addCatalogueForm(v, http.StatusUnprocessableEntity, out)
}

func (c *Console) refreshCatalogue(v *visit) error {
	_, err := c.backend.Catalogues.Refresh(v.ctx(), v.actor(), v.form("name"))
	return c.catalogueAnswer(v, err, "The catalogue "+v.form("name")+" was not read anew; what was read before stays. ", "catalogue-read")
}

func (c *Console) removeCatalogue(v *visit) error {
	return c.catalogueAnswer(v, c.backend.Catalogues.Remove(v.ctx(), v.actor(), v.form("name")), "", "catalogue-removed")
}

func (c *Console) catalogueAnswer(v *visit, err error, about, notice string) error {
	if err == nil {
		return done(v, cataloguesPage, notice)
	}
	_, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	return c.catalogues(v, http.StatusConflict, about+text)
}
