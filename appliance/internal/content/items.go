package content

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Listed is an item with its versions, newest first.
type Listed struct {
	fleet.ContentItem
	Versions []fleet.ContentVersion
}

// List returns all items by name.
func (s *Service) List() (all []Listed, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		versions := map[string][]fleet.ContentVersion{}
		for v := range tx.ContentVersions().All() {
			versions[v.Item] = append(versions[v.Item], v)
		}
		for i := range tx.ContentItems().All() {
			slices.Reverse(versions[i.ID])
			all = append(all, Listed{i, versions[i.ID]})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// Item returns an item by its id or name.
func (s *Service) Item(name string) (found Listed, err error) {
	err = s.o.Store.View(func(tx *state.Tx) error {
		if found.ContentItem, err = itemIn(tx, name); err != nil {
			return err
		}
		for v := range tx.ContentVersions().ByItem(found.ID) {
			found.Versions = append(found.Versions, v)
		}
		slices.Reverse(found.Versions)
		return nil
	})
	return found, err
}

func itemIn(tx *state.Tx, name string) (fleet.ContentItem, error) {
	if i, err := tx.ContentItems().Get(name); err == nil {
		return i, nil
	}
	for i := range tx.ContentItems().ByName(name) {
		return i, nil
	}
	return fleet.ContentItem{}, fmt.Errorf("%w: no item %q", ErrNotFound, name)
}

// Bounds of what people write.
const (
	maxName  = 128
	maxText  = 4000
	maxTags  = 32
	maxModel = 1000
)

// Change is what can be changed of an item; nil leaves a field as it is.
type Change struct {
	Name         *string
	Description  *string
	Tags         *[]string
	Manufacturer *string
	Models       *[]string
}

// SetItem changes an item.
func (s *Service) SetItem(ctx context.Context, by Actor, name string, c Change) (item fleet.ContentItem, err error) {
	err = s.o.Store.Update(ctx, func(tx *state.Tx) error {
		if item, err = itemIn(tx, name); err != nil {
			return err
		}
		c.apply(&item)
		item.UpdatedAt = s.o.Now()
		return putItem(tx, item)
	})
	if err == nil {
		s.audit(ctx, by, "content.changed", item.ID, item.Name)
	}
	return item, err
}

func (c Change) apply(i *fleet.ContentItem) {
	set(&i.Name, c.Name)
	set(&i.Description, c.Description)
	set(&i.Tags, c.Tags)
	set(&i.Manufacturer, c.Manufacturer)
	set(&i.Models, c.Models)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// putItem checks an item and keeps it.
func putItem(tx *state.Tx, i fleet.ContentItem) error {
	if err := checkItem(i); err != nil {
		return err
	}
	for other := range tx.ContentItems().ByName(i.Name) {
		if other.ID != i.ID {
			return invalid("another item is called %q", other.Name)
		}
	}
	return tx.ContentItems().Put(i)
}

func checkItem(i fleet.ContentItem) error {
	if err := checkText("name", i.Name, maxName); err != nil {
		return err
	}
	if strings.Contains(i.Name, "%") || i.Name != strings.TrimSpace(i.Name) {
		return invalid("name: %q has spaces at its ends or a %% in it", i.Name)
	}
	if !slices.Contains(tasksequence.Purposes(), i.Purpose) {
		return invalid("purpose: %q is unknown; use one of %s", i.Purpose, strings.Join(tasksequence.Purposes(), ", "))
	}
	if len(i.Description) > maxText {
		return invalid("description: more than %d bytes", maxText)
	}
	if i.Purpose != tasksequence.PurposeDriverPack && (i.Manufacturer != "" || len(i.Models) > 0) {
		return invalid("manufacturer, models: only driver packs have them")
	}
	if len(i.Tags) > maxTags || len(i.Models) > maxModel {
		return invalid("at most %d tags and %d models are allowed", maxTags, maxModel)
	}
	if i.Manufacturer != "" {
		if err := checkText("manufacturer", i.Manufacturer, maxName); err != nil {
			return err
		}
	}
	for _, text := range append(slices.Clone(i.Tags), i.Models...) {
		if err := checkText("tags, models", text, maxName); err != nil {
			return err
		}
	}
	return nil
}

func checkText(field, text string, longest int) error {
	if text == "" || len(text) > longest || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return invalid("%s: %.60q is not a text of 1 to %d bytes on one line", field, text, longest)
	}
	return nil
}

// Statuses lists the statuses of versions.
func Statuses() []string {
	return []string{fleet.ContentInDevelopment, fleet.ContentActive, fleet.ContentDeprecated}
}

// ParseStatus reads a status as people write it: any case, with or without blanks.
func ParseStatus(text string) (string, error) {
	squash := func(s string) string {
		return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s))
	}
	for _, s := range Statuses() {
		if squash(text) == s || squash(text) == "in"+s {
			return s, nil
		}
	}
	return "", invalid("status: %q is unknown; use one of %s", text, strings.Join(Statuses(), ", "))
}

// SetStatus changes the status of a version.
func (s *Service) SetStatus(ctx context.Context, by Actor, name string, version int, status string) (v fleet.ContentVersion, err error) {
	status, err = ParseStatus(status)
	if err != nil {
		return v, err
	}
	err = s.o.Store.Update(ctx, func(tx *state.Tx) error {
		item, err := itemIn(tx, name)
		if err != nil {
			return err
		}
		if v, err = tx.ContentVersions().Get(state.ContentVersionKey(item.ID, version)); err != nil {
			return missing(err)
		}
		v.Status = status
		return tx.ContentVersions().Put(v)
	})
	if err == nil {
		s.audit(ctx, by, "content.status", v.Reference(), status)
	}
	return v, err
}
