package engine

import (
	"fmt"

	"slipway/fleet"
	"slipway/tasksequence"
)

// OwnStep returns the deployment of a device's token while it goes on, if its task
// sequence has a step of that definition. Errors: ErrNotFound, ErrEnded, ErrForbidden.
func (e *Engine) OwnStep(token fleet.Token, id, definition string) (fleet.Deployment, error) {
	d, err := e.OwnUnfinished(token, id)
	if err != nil {
		return d, err
	}
	body, err := e.document(d.Document)
	if err != nil {
		return d, err
	}
	doc, err := tasksequence.ParseDocument(body)
	if err != nil {
		return d, err
	}
	plan, err := doc.Plan()
	if err != nil {
		return d, fmt.Errorf("the document of deployment %s: %w", d.ID, err)
	}
	for _, n := range plan.Nodes {
		if n.Define.ID == definition && !n.Disabled {
			return d, nil
		}
	}
	return d, fmt.Errorf("deployment %s has no step %s: %w", d.ID, definition, ErrForbidden)
}
