package api

import (
	"errors"
	"net/http"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/graph"
)

// graphProblem maps the errors of the connection to Microsoft Graph to their answers.
// None of them says "later": a device asks again only while there is hope.
func graphProblem(err error) *Problem {
	var invalid *graph.InvalidError
	if errors.As(err, &invalid) {
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: invalid.Detail, Fields: []wire.FieldError{{Field: invalid.Field, Detail: invalid.Detail}}}
	}
	for _, e := range []struct {
		known error
		code  string
		more  string
	}{
		{graph.ErrNotSet, "graph", ". An administrator sets it up: Administration, Microsoft Graph, or slipway graph set"},
		{graph.ErrSignIn, "graph", ""},
		{graph.ErrDenied, "graph", ""},
		{graph.ErrAutopilot, "autopilot", ""},
	} {
		if errors.Is(err, e.known) {
			return &Problem{Status: http.StatusConflict, Code: e.code, Detail: strings.TrimRight(sentence(err, e.known)+e.more, ".") + "."}
		}
	}
	return nil
}
