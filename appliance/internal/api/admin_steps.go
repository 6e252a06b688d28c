package api

import (
	"errors"
	"io"
	"net/http"

	"slipway/tasksequence"
)

// stepRoutes are the catalogue of step definitions and the administrator's own ones.
func (a *API) stepRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/steps", Access: Viewer, Summary: "The catalogue of step definitions: the built-in ones, then the administrator's own", Out: StepDefinitions{}, Handle: a.listSteps},
		{Method: "POST", Path: admin + "/steps", Access: Administrator, Summary: "Import a step definition of your own (JSON or YAML)", In: tasksequence.Definition{}, Out: tasksequence.Definition{}, Status: http.StatusCreated, MaxBody: tasksequence.MaxDefinitionBytes, Handle: a.importStep},
		{Method: "GET", Path: admin + "/steps/{id}", Access: Viewer, Summary: "Export a step definition: id, or id:version", Query: []string{"format"}, Out: raw{}, Handle: a.exportStep},
	}
}

func (a *API) listSteps(*call) (any, error) {
	all, err := a.Library.Definitions()
	return StepDefinitions{Steps: all}, err
}

func (a *API) importStep(c *call) (any, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large", Detail: "A step definition has at most 256 KiB.", Cause: err}
	}
	d, err := a.Library.ImportDefinition(c.ctx(), a.engineActor(c), body)
	var problems tasksequence.Problems
	if errors.As(err, &problems) {
		return nil, &Problem{Status: http.StatusUnprocessableEntity, Code: "step", Detail: "The step definition cannot be taken as it is.", Fields: fieldsOf(problems), Cause: err}
	}
	return d, err
}

func (a *API) exportStep(c *call) (any, error) {
	id, version, err := reference(c.Param("id"))
	if err != nil {
		return nil, err
	}
	format := c.DefaultQuery("format", "json")
	body, err := a.Library.ExportDefinition(id, version, format)
	if err != nil {
		return nil, err
	}
	return raw{"application/" + format, body}, nil
}
