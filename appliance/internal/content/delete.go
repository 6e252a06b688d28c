package content

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Delete removes a version, or an item with all its versions (number 0). It is refused
// while a task sequence, a step definition of the administrators' or an unfinished
// deployment needs it. Bytes that no other
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
	if user, ok := userOf(tx, func(text string) bool { return text == item.ID || strings.HasPrefix(text, item.ID+":") }); ok {
		return inUse(item, "%s", user)
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

// deleteVersion spares the last active version of an item that a sequence or a step
// definition names without a number.
func deleteVersion(tx *state.Tx, item fleet.ContentItem, v fleet.ContentVersion) error {
	active := 0
	for other := range tx.ContentVersions().ByItem(item.ID) {
		if other.Status == fleet.ContentActive {
			active++
		}
	}
	last := v.Status == fleet.ContentActive && active == 1
	user, ok := userOf(tx, func(text string) bool { return text == v.Reference() || last && text == item.ID })
	if ok {
		return inUse(item, "%s", user)
	}
	if user, ok := deploymentUsing(tx, v.Reference()); ok {
		return inUse(item, "the deployment %s, which goes on", user)
	}
	return tx.ContentVersions().Delete(state.ContentVersionKey(item.ID, v.Version))
}

// userOf finds a task sequence with a setting, or a step definition with a default,
// that names content. Ids are random: a text that is one means the item, whatever its
// option is called.
func userOf(tx *state.Tx, names func(string) bool) (user string, found bool) {
	for record := range tx.Sequences().All() {
		if record.Status != tasksequence.Deprecated && namedIn(record.Body, names) {
			return fmt.Sprintf("the task sequence %q, version %d", record.Name, record.Version), true
		}
	}
	for record := range tx.Definitions().All() {
		if namedIn(record.Body, names) && counts(tx, record) {
			return fmt.Sprintf("the step definition %q (%s), version %d", record.Name, record.ID, record.Version), true
		}
	}
	return "", false
}

// counts reports whether a version of a step definition can still be used: the newest
// one, and one that a step of a task sequence asks for by its number. Versions are never
// deleted; importing one that names other content frees what the former named.
func counts(tx *state.Tx, d fleet.StepDefinition) bool {
	newest := d.Version
	for other := range tx.Definitions().ByID(d.ID) {
		newest = max(newest, other.Version)
	}
	if newest == d.Version {
		return true
	}
	for record := range tx.Sequences().All() {
		var body any
		if record.Status == tasksequence.Deprecated || json.Unmarshal(record.Body, &body) != nil {
			continue
		}
		if asksFor(body, d) {
			return true
		}
	}
	return false
}

// asksFor looks for a step of that definition and version in a JSON value.
func asksFor(value any, d fleet.StepDefinition) bool {
	switch v := value.(type) {
	case map[string]any:
		if v["definition"] == d.ID && v["definitionVersion"] == float64(d.Version) {
			return true
		}
		for _, member := range v {
			if asksFor(member, d) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(member any) bool { return asksFor(member, d) })
	}
	return false
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
