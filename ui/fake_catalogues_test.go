package ui

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"
)

// fakeCatalogues keeps catalogues in the fake appliance; no address answers but those of
// the makers.
type fakeCatalogues struct{ *fake }

// furnishCatalogues adds a maker's list, one that cannot be read and entries in every
// state.
func (f *fake) furnishCatalogues(now time.Time) {
	f.catalogues = []Catalogue{
		{Name: "dell", From: "https://downloads.dell.com/catalog/DriverPackCatalog.cab", Drivers: 1843, Imported: now.Add(-50 * time.Hour), Left: 3, Refreshes: true},
		{Name: "hp", Refreshes: true, Problem: "the catalogue hp cannot be read: not a catalogue: unexpected end of JSON input; import it again"},
		{Name: "microsoft", From: "products.cab", Systems: 1284, Imported: now.Add(-5 * time.Minute), Refreshes: true},
		{Name: "ours", From: "our-images-for-the-laboratories-on-the-second-floor-of-building-7.json", Systems: 2, Imported: now.Add(-20 * time.Hour)},
	}
	f.entries = nil
	for i := range 70 {
		f.entries = append(f.entries, CatalogueEntry{Catalogue: "dell", Kind: "driverpack", Name: "Dell Latitude 5440 Windows 11 Driver Pack A" + itoa(10+i), OS: "Windows 11", Architecture: "x64", Manufacturer: "Dell",
			Models: []string{"0C1A", "Latitude 5440", "0C1B", "Latitude 5540", "Latitude 5550"}, Size: 2_100_000_000, Released: "2026-06-01"})
	}
	f.entries[0].Item, f.entries[0].ItemVersion = "pack1", "2"
	f.entries[1].Fetching = "fetching"
	f.entries = append(f.entries, CatalogueEntry{Catalogue: "microsoft", Kind: "operatingsystem", Name: "26100.4349.250607-1500.ge_release_svc_refresh_CLIENTBUSINESS_VOL_x64FRE_de-de.esd", OS: "Windows 11", Version: "24H2",
		Architecture: "x64", Edition: "Professional", Language: "de-de"})
}

func (fakeCatalogues) Vendors() []CatalogueVendor {
	return []CatalogueVendor{{"dell", "https://downloads.dell.com/catalog/DriverPackCatalog.cab"}, {"hp", "https://hpia.hpcloud.hp.com/x.cab"}, {"microsoft", "https://go.microsoft.com/fwlink/?LinkId=2156292"}}
}

func (f fakeCatalogues) List(context.Context) ([]Catalogue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.catalogues), nil
}

func (f fakeCatalogues) Search(_ context.Context, q CatalogueQuery) (out []CatalogueEntry, total int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if (q.Catalogue == "" || q.Catalogue == e.Catalogue) && (q.Kind == "" || q.Kind == e.Kind) && (q.OS == "" || q.OS == e.OS) && strings.Contains(strings.ToLower(e.Name), strings.ToLower(q.Text)) {
			if total++; total > q.Skip && len(out) < q.Limit {
				out = append(out, e)
			}
		}
	}
	return out, total, nil
}

func (f fakeCatalogues) Import(_ context.Context, by Actor, in ImportCatalogue) (Catalogue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case in.URL != "":
		return Catalogue{}, &FieldError{Field: "url", Detail: "Fetch " + in.URL + ": the server answers 404 Not Found."}
	case in.File != nil && !bytes.HasPrefix(in.File, []byte("{")):
		return Catalogue{}, &FieldError{Field: "file", Detail: "The list cannot be read: is it the right file?"}
	}
	f.imported = in
	c := Catalogue{Name: in.Vendor, From: in.FileName, Imported: f.now()}
	if c.Name == "" {
		c.Name = "own"
	}
	f.catalogues = append(f.catalogues, c)
	f.note(by, "catalogue.imported", c.Name, "ok")
	return c, nil
}

func (f fakeCatalogues) Refresh(_ context.Context, by Actor, name string) (Catalogue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.catalogues, func(c Catalogue) bool { return c.Name == name })
	if i < 0 {
		return Catalogue{}, ErrNotFound
	}
	if name == "dell" {
		return Catalogue{}, &FieldError{Field: "url", Detail: "Fetch https://downloads.dell.com/catalog/DriverPackCatalog.cab: the server answers 503 Service Unavailable."}
	}
	f.catalogues[i].Problem, f.catalogues[i].Imported = "", f.now()
	f.note(by, "catalogue.imported", name, "ok")
	return f.catalogues[i], nil
}

func (f fakeCatalogues) Remove(_ context.Context, by Actor, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.catalogues, func(c Catalogue) bool { return c.Name == name })
	if i < 0 {
		return ErrNotFound
	}
	f.catalogues = slices.Delete(f.catalogues, i, i+1)
	f.note(by, "catalogue.removed", name, "ok")
	return nil
}
