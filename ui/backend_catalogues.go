package ui

import (
	"context"
	"time"
)

// Catalogues are lists of driver packs and of Windows images that devices can have
// fetched.
type Catalogues interface {
	// Vendors are the makers whose published lists are understood.
	Vendors() []CatalogueVendor
	// List is every catalogue, those that cannot be read included.
	List(ctx context.Context) ([]Catalogue, error)
	// Search are entries that match, and how many there are in all.
	Search(ctx context.Context, q CatalogueQuery) (found []CatalogueEntry, total int, err error)
	// Import reads a list in place of the one of its name, and Refresh one anew from where
	// it came. Both take as long as the other server does. *FieldError ("vendor", "url",
	// "file"), *Refused.
	Import(ctx context.Context, by Actor, in ImportCatalogue) (Catalogue, error)
	Refresh(ctx context.Context, by Actor, name string) (Catalogue, error)
	Remove(ctx context.Context, by Actor, name string) error
}

// CatalogueVendor is a maker with the address of its list.
type CatalogueVendor struct{ Name, URL string }

// Catalogue is one list.
type Catalogue struct {
	Name, From       string // From: the address or the file that was read
	Drivers, Systems int
	Imported         time.Time
	Left             int    // entries that made no sense
	Refreshes        bool   // it can be read anew from an address
	Problem          string // why it cannot be read
}

// CatalogueQuery narrows the entries; empty fields match everything.
type CatalogueQuery struct {
	Text, Catalogue, Kind, OS string
	Skip, Limit               int
}

// CatalogueEntry is something that can be fetched.
type CatalogueEntry struct {
	Catalogue, Kind, Name           string
	OS, Version, Architecture       string
	Manufacturer, Edition, Language string
	Models                          []string
	Size                            int64
	Released                        string
	Item, ItemVersion               string // of the content that it became
	Fetching                        string // how far the appliance is with it
}

// ImportCatalogue says what to read: the list of a vendor from its own address unless URL
// or File say otherwise, or without a vendor a catalogue in the appliance's own form.
type ImportCatalogue struct {
	Vendor, URL string
	File        []byte
	FileName    string
}
