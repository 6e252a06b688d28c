package engine

import (
	"fmt"
	"sync"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// ReachesContent says whether a device's token reaches a content version: what the
// document of its unfinished deployment names, or what was answered to a query of
// that deployment. ErrNotFound otherwise: a device does not learn what else there is.
func (e *Engine) ReachesContent(token fleet.Token, ref tasksequence.Reference) error {
	d, err := e.OwnUnfinished(token, token.Deployment)
	if err != nil {
		return err
	}
	named, err := e.contentOf(d.Document)
	if err != nil {
		return err
	}
	if named[ref.String()] {
		return nil
	}
	found := false
	err = e.opts.Store.View(func(tx *state.Tx) error {
		for pin := range tx.ContentPins().ByDeployment(d.ID) {
			for _, v := range pin.Versions {
				found = found || v == ref.String()
			}
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("content %s: %w", ref, ErrNotFound)
	}
	return err
}

// OwnUnfinished returns the deployment of a device's token while it goes on.
// Errors: ErrNotFound, ErrEnded.
func (e *Engine) OwnUnfinished(token fleet.Token, id string) (d fleet.Deployment, err error) {
	if token.Deployment == "" {
		return d, fmt.Errorf("deployment %q: %w", id, ErrNotFound)
	}
	err = e.opts.Store.View(func(tx *state.Tx) error {
		d, err = ownDeployment(tx, token, id)
		if err == nil && d.Status.Final() {
			err = ErrEnded
		}
		return err
	})
	return d, err
}

// contentNames remembers which content versions pinned documents name.
type contentNames struct {
	mu  sync.Mutex
	all map[string]map[string]bool // by the document's hash, then by "id:version"
}

// maxContentNames is of how many documents that is remembered.
const maxContentNames = 256

func (e *Engine) contentOf(document string) (map[string]bool, error) {
	e.content.mu.Lock()
	named, ok := e.content.all[document]
	e.content.mu.Unlock()
	if ok {
		return named, nil
	}
	body, err := e.document(document)
	if err != nil {
		return nil, err
	}
	doc, err := tasksequence.ParseDocument(body)
	if err != nil {
		return nil, err
	}
	named = map[string]bool{}
	for _, c := range doc.Content {
		named[c.Reference().String()] = true
	}
	e.content.mu.Lock()
	defer e.content.mu.Unlock()
	if e.content.all == nil || len(e.content.all) >= maxContentNames {
		e.content.all = map[string]map[string]bool{}
	}
	e.content.all[document] = named
	return named, nil
}
