package content

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Delete removes a version, or an item with all its versions (number 0). It is refused
// while a task sequence or an unfinished deployment needs it. Bytes that no other
// version has go as well.
func (s *Service) Delete(ctx context.Context, by Actor, name string, version int) error {
	var object, reason string
	err := s.o.Store.Update(ctx, func(tx *state.Tx) error {
		item, err := itemIn(tx, name)
		if err != nil {
			return err
		}
		object, reason = item.ID, item.Name
		if version == 0 {
			return deleteItem(tx, item)
		}
		v, err := tx.ContentVersions().Get(state.ContentVersionKey(item.ID, version))
		if err != nil {
			return fmt.Errorf("%w: %q has no version %d", ErrNotFound, item.Name, version)
		}
		object = v.Reference()
		return deleteVersion(tx, item, v)
	})
	if err != nil {
		return err
	}
	s.audit(ctx, by, "content.deleted", object, reason)
	s.sweep(ctx)
	return nil
}

func deleteItem(tx *state.Tx, item fleet.ContentItem) error {
	if user, ok := sequenceUsing(tx, func(text string) bool { return text == item.ID || strings.HasPrefix(text, item.ID+":") }); ok {
		return inUse(item, "the task sequence %s", user)
	}
	for v := range tx.ContentVersions().ByItem(item.ID) {
		if user, ok := deploymentUsing(tx, v.Reference()); ok {
			return inUse(item, "the deployment %s, which goes on", user)
		}
		if err := tx.ContentVersions().Delete(state.ContentVersionKey(item.ID, v.Version)); err != nil {
			return err
		}
	}
	return tx.ContentItems().Delete(item.ID)
}

func inUse(item fleet.ContentItem, format string, args ...any) error {
	return fmt.Errorf("%w: %q is needed by %s", ErrInUse, item.Name, fmt.Sprintf(format, args...))
}

// deleteVersion spares the last active version of an item that a sequence names
// without a number.
func deleteVersion(tx *state.Tx, item fleet.ContentItem, v fleet.ContentVersion) error {
	active := 0
	for other := range tx.ContentVersions().ByItem(item.ID) {
		if other.Status == fleet.ContentActive {
			active++
		}
	}
	last := v.Status == fleet.ContentActive && active == 1
	user, ok := sequenceUsing(tx, func(text string) bool { return text == v.Reference() || last && text == item.ID })
	if ok {
		return inUse(item, "the task sequence %s", user)
	}
	if user, ok := deploymentUsing(tx, v.Reference()); ok {
		return inUse(item, "the deployment %s, which goes on", user)
	}
	return tx.ContentVersions().Delete(state.ContentVersionKey(item.ID, v.Version))
}

// sequenceUsing finds a task sequence with a setting that names content. Ids are
// random: a setting that holds one means the item, whatever its option is called.
func sequenceUsing(tx *state.Tx, names func(string) bool) (user string, found bool) {
	for record := range tx.Sequences().All() {
		if record.Status == tasksequence.Deprecated {
			continue
		}
		if namedIn(record.Body, names) {
			return fmt.Sprintf("%q, version %d", record.Name, record.Version), true
		}
	}
	return "", false
}

// deploymentUsing finds an unfinished deployment that has a version pinned.
func deploymentUsing(tx *state.Tx, reference string) (user string, found bool) {
	for d := range tx.Deployments().All() {
		if d.Status.Final() {
			continue
		}
		for pin := range tx.ContentPins().ByDeployment(d.ID) {
			for _, v := range pin.Versions {
				if v == reference {
					return d.ID, true
				}
			}
		}
		doc, err := tx.Documents().Get(d.Document)
		if err == nil && namedIn(doc.Body, func(text string) bool { return text == reference }) {
			return d.ID, true
		}
	}
	return "", false
}

// namedIn looks at every string and every key of a JSON text.
func namedIn(text []byte, names func(string) bool) bool {
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && names(s) {
			return true
		}
	}
}
