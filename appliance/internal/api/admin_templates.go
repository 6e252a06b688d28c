package api

import (
	"errors"
	"net/http"
	"strings"

	"slipway/tasksequence/templates"
)

// Templates are the task sequences to begin with.
type Templates struct {
	Templates []templates.Template `json:"templates"`
}

// CreateSequence makes a task sequence of a template.
type CreateSequence struct {
	Template string            `json:"template"`
	Name     string            `json:"name,omitempty"`    // default the template's
	Content  map[string]string `json:"content,omitempty"` // id or id:version of an item, by the names of the template's places
}

func (a *API) templateRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/templates", Access: Viewer, Summary: "Task sequences to begin with", Out: Templates{}, Handle: func(*call) (any, error) {
			return Templates{Templates: nonNil(a.Library.Templates())}, nil
		}},
		{Method: "POST", Path: admin + "/templates", Access: Administrator, Summary: "Make a task sequence of a template", In: CreateSequence{}, Out: Sequence{}, Status: http.StatusCreated, Handle: a.createSequence},
	}
}

func (a *API) createSequence(c *call) (any, error) {
	var in CreateSequence
	if err := c.body(&in); err != nil {
		return nil, err
	}
	s, err := a.Library.Create(c.ctx(), a.engineActor(c), in.Template, in.Name, in.Content)
	if errors.Is(err, templates.ErrUnknown) {
		_, text, _ := strings.Cut(err.Error(), ": ")
		return nil, &Problem{Status: http.StatusNotFound, Code: "not-found", Detail: text, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	return listed(s), nil
}
