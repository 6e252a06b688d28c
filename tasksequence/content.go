package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The purposes of content items.
const (
	PurposeApplication     = "application"
	PurposeDriverPack      = "driverpack"
	PurposeOperatingSystem = "operatingsystem"
	PurposeOther           = "other"
)

// Purposes lists the purposes of content items.
func Purposes() []string {
	return []string{PurposeApplication, PurposeDriverPack, PurposeOperatingSystem, PurposeOther}
}

// ContentVariable is the name of the variable that holds the folder on the device
// into which the content of an option was put.
func ContentVariable(option string) string { return "_CONTENT-" + option }

// Content is one version of a content item, as far as a document names it.
type Content struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	Size    int64  `json:"size"` // bytes of all files
}

// Reference returns "id:version" of the version.
func (c Content) Reference() Reference { return Reference{ID: c.ID, Version: c.Version} }

// What a lookup of content wraps, so that the problem it becomes has a remedy.
var (
	ErrNoContent         = errors.New("there is no such content")
	ErrContentDeprecated = errors.New("this version of the content is deprecated")
	ErrContentInactive   = errors.New("no version of the content is active")
	ErrContentPurpose    = errors.New("the content has another purpose")
)

// ContentLookup returns the version of a content item that a reference names;
// version 0 asks for the newest active one. A purpose that is not empty must be the
// item's. It wraps one of the errors above when the content cannot be used.
type ContentLookup func(ref Reference, purpose string) (Content, error)

// contentRemedy says what helps against an error of a ContentLookup.
func contentRemedy(err error) string {
	switch {
	case errors.Is(err, ErrNoContent):
		return "Choose another item, or add this one."
	case errors.Is(err, ErrContentDeprecated):
		return "Choose a newer version, leave the version out for the newest active one, or make this version active again."
	case errors.Is(err, ErrContentInactive):
		return "Make a version of the item active, or name one as id:version."
	case errors.Is(err, ErrContentPurpose):
		return "Choose an item of the right purpose."
	}
	return ""
}

// content settles which version of each content item the step uses, writes it into
// the settings and notes it in the document.
func (p *pinner) content(n *Node, at place, define Definition) {
	for _, o := range define.Options {
		if o.Type != TypeContent {
			continue
		}
		value, set, err := settingOf(o, n)
		if err != nil || !set || value.empty() {
			continue // Validate reports what is wrong with the setting itself
		}
		found, err := p.contentVersion(value, o.Purpose)
		if err != nil {
			p.report(n, at, "settings."+o.Name, err.Error(), contentRemedy(err))
			continue
		}
		text, err := json.Marshal(found.Reference().String())
		if err != nil {
			p.report(n, at, "settings."+o.Name, err.Error(), "")
			continue
		}
		n.Settings[o.Name] = text
		p.note(found)
	}
}

func (p *pinner) note(found Content) {
	if p.doc.Content == nil {
		p.doc.Content = map[string]Content{}
	}
	p.doc.Content[found.Reference().String()] = found
}

func (p *pinner) contentVersion(value Value, purpose string) (Content, error) {
	ref, err := ParseReference(value.Text)
	if err != nil {
		return Content{}, err
	}
	if p.from.Content == nil {
		return Content{}, fmt.Errorf("%s: %w", ref, ErrNoContent)
	}
	return p.from.Content(ref, purpose)
}
