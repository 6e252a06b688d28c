package api

import (
	"errors"
	"net/http"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/catalogue"
	"slipway/appliance/internal/content"
	"slipway/tasksequence"
)

// Catalogues are the lists of what can be fetched from elsewhere.
type Catalogues struct {
	Catalogues []catalogue.Info `json:"catalogues"`
}

// CatalogueEntries are entries of catalogues that were searched for.
type CatalogueEntries struct {
	Entries []catalogue.Found `json:"entries"`
	Total   int               `json:"total"` // that match; entries holds 200 at most
}

// ImportCatalogue asks for a list to be read: that of a vendor, from where it publishes it
// unless url or path say otherwise, or without a vendor a catalogue in our own form.
type ImportCatalogue struct {
	Vendor string `json:"vendor,omitempty"` // dell, hp, lenovo, microsoft
	URL    string `json:"url,omitempty"`
	Path   string `json:"path,omitempty"` // on the appliance's disk; only on its local socket
}

// maxFound bounds the answer to a search.
const maxFound = 200

// catalogueRoutes are what people do with catalogues, and what devices have fetched.
func (a *API) catalogueRoutes() []route {
	const all = admin + "/catalogues"
	return []route{
		{Method: "GET", Path: all, Access: Viewer, Summary: "Catalogues of driver packs and operating systems", Out: Catalogues{}, Handle: func(*call) (any, error) {
			list, err := a.Catalogue.List()
			return Catalogues{list}, err
		}},
		{Method: "POST", Path: all, Access: Technician, Summary: "Import a catalogue, in place of the one of its name", In: ImportCatalogue{}, Out: catalogue.Info{}, Handle: a.importCatalogue},
		{Method: "DELETE", Path: all + "/{name}", Access: Technician, Summary: "Forget a catalogue; what was fetched of it stays", Handle: func(c *call) (any, error) {
			return nil, a.Catalogue.Remove(c.ctx(), contentActor(c), c.Param("name"))
		}},
		{Method: "POST", Path: all + "/{name}/refresh", Access: Technician, Summary: "Read a catalogue anew from where it came", Out: catalogue.Info{}, Handle: func(c *call) (any, error) {
			return a.Catalogue.Refresh(c.ctx(), contentActor(c), c.Param("name"))
		}},
		{Method: "GET", Path: admin + "/catalogue-entries", Access: Viewer, Summary: "Entries of catalogues whose name, model, Windows or edition holds every word of a text; 200 at most",
			Query: []string{"text", "catalogue", "kind", "os"}, Out: CatalogueEntries{}, Handle: a.searchCatalogues},
		{Method: "POST", Path: prefix + "/deployments/{id}/cloud", Access: Device, Summary: "Have what a catalogue names fetched, and say how far that is; for the steps that end in \"from cloud\"",
			In: wire.CloudQuery{}, Out: wire.CloudAnswer{}, Handle: a.fromCloud},
	}
}

func (a *API) importCatalogue(c *call) (any, error) {
	var in ImportCatalogue
	if err := c.body(&in); err != nil {
		return nil, err
	}
	if !c.Local && in.Path != "" {
		return nil, &Problem{Status: http.StatusForbidden, Code: "local-only",
			Detail: "A path of the appliance can only be named on the appliance itself: slipway catalogue import. Name a URL instead."}
	}
	return a.Catalogue.Import(c.ctx(), contentActor(c), catalogue.Source{Vendor: in.Vendor, Path: in.Path, URL: in.URL})
}

func (a *API) searchCatalogues(c *call) (any, error) {
	q := c.Request.URL.Query()
	list, total, err := a.Catalogue.Search(catalogue.Query{Text: q.Get("text"), Catalogue: q.Get("catalogue"), Kind: q.Get("kind"), OS: q.Get("os"), Limit: maxFound})
	return CatalogueEntries{list, total}, err
}

// fromCloud: that the device may ask comes of its task sequence alone.
func (a *API) fromCloud(c *call) (any, error) {
	var q wire.CloudQuery
	if err := c.lenientBody(&q); err != nil {
		return nil, err
	}
	step := tasksequence.ApplyOperatingSystemFromCloud
	if q.Drivers != nil {
		step = tasksequence.InjectDriversFromCloud
	}
	d, err := a.Engine.OwnStep(c.Token, c.Param("id"), step)
	if err != nil {
		return nil, err
	}
	all, err := a.Catalogue.Catalogues()
	if err != nil {
		return nil, err
	}
	var entry catalogue.Entry
	if q.Drivers != nil {
		found := false
		if entry, found = catalogue.FindDrivers(all, catalogue.Drivers{Make: q.Drivers.Make, MakeAlias: q.Drivers.MakeAlias, Model: q.Drivers.Model, ModelAlias: q.Drivers.ModelAlias,
			SystemAlias: q.Drivers.SystemAlias, OS: q.OS, Version: q.Version, Architecture: q.Architecture}); !found {
			return wire.CloudAnswer{}, nil
		}
	} else if entry, err = catalogue.FindSystem(all, catalogue.System{OS: q.OS, Version: q.Version, Edition: q.Edition, Architecture: q.Architecture, LanguageCode: q.LanguageCode}); err != nil {
		return nil, err
	}
	return a.Catalogue.Answer(c.ctx(), d.ID, content.Actor{Name: "device", Address: addressOf(c), Device: c.Token.DeviceID}, entry)
}

// catalogueProblem maps the errors of catalogues to their answers.
func catalogueProblem(err error) *Problem {
	var failed *catalogue.FetchError
	switch {
	case errors.As(err, &failed):
		return &Problem{Status: http.StatusConflict, Code: "fetch", Detail: capital(failed.Error())}
	case errors.Is(err, catalogue.ErrNotThere):
		return &Problem{Status: http.StatusNotFound, Code: "not-found", Detail: capital(sentence(err, catalogue.ErrNotThere))}
	case errors.Is(err, catalogue.ErrInvalid):
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: capital(strings.TrimPrefix(sentence(err, catalogue.ErrInvalid), catalogue.ErrInvalid.Error()+": "))}
	}
	return nil
}
