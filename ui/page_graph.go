package ui

import (
	"net/http"
	"slices"
	"unicode/utf8"

	"slipway/ui/internal/view"
)

const graphPage = "/admin/graph"

func (c *Console) showGraph(v *visit) error { return c.graph(v, http.StatusOK, view.GraphView{}) }

// graph draws the page; out carries what a form brought.
func (c *Console) graph(v *visit, status int, out view.GraphView) error {
	p, err := c.page(v, "Microsoft Graph", "graph", "")
	if err != nil {
		return err
	}
	settings, err := c.backend.Graph.Settings(v.ctx())
	if err != nil {
		return err
	}
	out.S = view.Settings{}
	for _, s := range settings {
		shown := view.Setting{Name: s.Name, Kind: s.Kind, Kept: s.Value, Value: s.Value, Error: out.Errors[s.Name]}
		if typed, ok := out.Typed[s.Name]; ok && s.Kind != KindSecret {
			shown.Value = typed
		}
		out.S[s.Name] = shown
	}
	for _, x := range c.backend.Graph.Permissions() {
		out.Permissions = append(out.Permissions, view.Option{Value: x.Name, Label: x.Why})
	}
	return c.draw(v, status, view.Graph(p, out))
}

// readGraph finds what the form changes.
func (c *Console) readGraph(v *visit) (changes, typed map[string]string, err error) {
	have, err := c.backend.Graph.Settings(v.ctx())
	if err != nil {
		return nil, nil, err
	}
	if changes, typed, err = readSettings(v, have); err != nil {
		return changes, typed, err
	}
	file, err := uploaded(v, "certificate:file")
	switch {
	case err != nil || file == nil:
	case !utf8.Valid(file):
		err = &FieldError{Field: "certificate", Detail: "This file is not PEM text. A .pfx is turned into it by: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem"}
	default:
		changes["certificate"] = string(file)
	}
	return changes, typed, err
}

func (c *Console) changeGraph(v *visit) error {
	changes, typed, err := c.readGraph(v)
	if err == nil && len(changes) == 0 {
		return done(v, graphPage, "signin-same")
	}
	if err == nil {
		err = c.backend.Graph.Change(v.ctx(), v.actor(), changes)
	}
	if err == nil {
		return done(v, graphPage, "signin-saved")
	}
	field, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	out := view.GraphView{Typed: typed, Errors: map[string]string{field: text}}
	if !slices.Contains([]string{"tenant", "client_id", "client_secret", "certificate", "authority", "endpoint"}, field) {
		out.Problem = text
	}
	return c.graph(v, http.StatusUnprocessableEntity, out)
}

// testGraph tries what is kept; what is typed and not saved stays typed.
func (c *Console) testGraph(v *visit) error {
	changes, typed, err := c.readGraph(v)
	out := view.GraphView{Typed: typed, Unsaved: len(changes) > 0 || err != nil}
	found, err := c.backend.Graph.Test(v.ctx(), v.actor())
	if err != nil {
		return err
	}
	out.Test = &found
	return c.graph(v, http.StatusOK, out)
}
