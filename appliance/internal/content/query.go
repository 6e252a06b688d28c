package content

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Bounds of queries.
const (
	maxQueryItems = 500
	maxQueries    = 200 // that one deployment may ask
)

// Find answers a deployment's query and pins the answer: the same query gets it
// again, whatever became of the items since.
func (s *Service) Find(ctx context.Context, deployment string, q wire.ContentQuery) (out wire.ContentAnswer, err error) {
	if err := checkQuery(q); err != nil {
		return out, err
	}
	key, err := queryKey(q)
	if err != nil {
		return out, err
	}
	err = s.o.Store.Update(ctx, func(tx *state.Tx) error {
		out = wire.ContentAnswer{Content: []wire.ContentVersion{}}
		pin, err := tx.ContentPins().Get(state.ContentPinKey(deployment, key))
		if err != nil {
			if pin, err = s.pin(tx, deployment, key, q); err != nil {
				return err
			}
		}
		for _, reference := range pin.Versions {
			v, err := pinned(tx, reference)
			if err != nil {
				return err
			}
			out.Content = append(out.Content, v)
		}
		return nil
	})
	return out, err
}

func checkQuery(q wire.ContentQuery) error {
	switch {
	case (len(q.Items) > 0) == (q.Drivers != nil):
		return invalid("ask for items or for drivers")
	case len(q.Items) > maxQueryItems:
		return invalid("items: %d are asked for; at most %d at once", len(q.Items), maxQueryItems)
	case q.Purpose != "" && !slices.Contains(tasksequence.Purposes(), q.Purpose):
		return invalid("purpose: %q is unknown", q.Purpose)
	}
	return nil
}

// queryKey is the hash of a query.
func queryKey(q wire.ContentQuery) (string, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("content query: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// pin resolves a query and keeps the answer.
func (s *Service) pin(tx *state.Tx, deployment, key string, q wire.ContentQuery) (fleet.ContentPin, error) {
	pin := fleet.ContentPin{Deployment: deployment, Query: key, At: s.o.Now()}
	d, err := tx.Deployments().Get(deployment)
	if err != nil || d.Status.Final() {
		return pin, fmt.Errorf("%w: the deployment is over", ErrNotFound)
	}
	count := 0
	for range tx.ContentPins().ByDeployment(deployment) {
		count++
	}
	if count >= maxQueries {
		return pin, invalid("a deployment may ask for content %d times", maxQueries)
	}
	if q.Drivers != nil {
		pin.Versions = drivers(tx, *q.Drivers)
	}
	for _, text := range q.Items {
		v, err := named(tx, text, q.Purpose)
		if err != nil {
			return pin, invalid("%v", err)
		}
		pin.Versions = append(pin.Versions, v.Reference())
	}
	return pin, tx.ContentPins().Put(pin)
}

// named resolves "id", "id:version", a name or "name:version".
func named(tx *state.Tx, text, purpose string) (fleet.ContentVersion, error) {
	text = strings.TrimSpace(text)
	item, err := itemIn(tx, text)
	number := 0
	if err != nil {
		if i := strings.LastIndex(text, ":"); i > 0 {
			if n, e := strconv.Atoi(text[i+1:]); e == nil && n > 0 {
				number = n
				item, err = itemIn(tx, text[:i])
			}
		}
	}
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	return usable(tx, item, number, purpose)
}

func pinned(tx *state.Tx, reference string) (wire.ContentVersion, error) {
	ref, err := tasksequence.ParseReference(reference)
	if err != nil {
		return wire.ContentVersion{}, fmt.Errorf("pinned content %q: %w", reference, err)
	}
	item, err := tx.ContentItems().Get(ref.ID)
	if err != nil {
		return wire.ContentVersion{}, missing(err)
	}
	v, err := tx.ContentVersions().Get(state.ContentVersionKey(ref.ID, ref.Version))
	return wire.ContentVersion{Item: item.ID, Version: v.Version, Name: item.Name, Purpose: item.Purpose, Size: v.Size}, missing(err)
}

// drivers are the driver packs of a model: those of the first rule by which any fits.
// Active versions come first; only when no pack has one, those In Development.
func drivers(tx *state.Tx, q wire.DriverQuery) []string {
	var active, others []fleet.ContentItem
	newest := map[string]fleet.ContentVersion{}
	for i := range tx.ContentItems().All() {
		if i.Purpose != tasksequence.PurposeDriverPack {
			continue
		}
		v, ok := newestOf(tx, i.ID)
		switch {
		case !ok:
			continue
		case v.Status == fleet.ContentActive:
			active = append(active, i)
		default:
			others = append(others, i)
		}
		newest[i.ID] = v
	}
	found := matching(active, q)
	if len(found) == 0 {
		found = matching(others, q)
	}
	var out []string
	for _, i := range found {
		out = append(out, newest[i.ID].Reference())
	}
	return out
}

// newestOf returns the newest Active version, else the newest In Development.
func newestOf(tx *state.Tx, item string) (fleet.ContentVersion, bool) {
	if v, ok := newestActive(tx, item); ok {
		return v, true
	}
	var found fleet.ContentVersion
	for v := range tx.ContentVersions().ByItem(item) {
		if v.Status == fleet.ContentInDevelopment {
			found = v
		}
	}
	return found, found.Version > 0
}

// matching applies the four rules in their order: maker and model by their aliases,
// by their full names, then the maker with the alias of the system board. Case and
// blanks around do not count.
func matching(packs []fleet.ContentItem, q wire.DriverQuery) []fleet.ContentItem {
	for _, rule := range [][2]string{{q.MakeAlias, q.ModelAlias}, {q.Make, q.Model}, {q.Make, q.SystemAlias}, {q.MakeAlias, q.SystemAlias}} {
		var found []fleet.ContentItem
		for _, p := range packs {
			if same(p.Manufacturer, rule[0]) && slices.ContainsFunc(p.Models, func(m string) bool { return same(m, rule[1]) }) {
				found = append(found, p)
			}
		}
		if len(found) > 0 {
			slices.SortFunc(found, func(a, b fleet.ContentItem) int {
				return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
			})
			return found
		}
	}
	return nil
}

// same compares what a pack says with what a device says; nothing equals nothing.
func same(pack, device string) bool {
	pack, device = strings.TrimSpace(pack), strings.TrimSpace(device)
	return pack != "" && strings.EqualFold(pack, device)
}
