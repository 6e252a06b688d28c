package tasksequence

import (
	"cmp"
	"fmt"
	"slices"
)

// Builtin returns the definitions that ship with the product, in the order in
// which an editor offers them.
func Builtin() []Definition {
	return []Definition{
		setVariable(),
		runCommandLine(),
		runTaskSequence(),
		reboot(),
		formatDisk(),
		wipeDisk(),
		applyOperatingSystem(),
		runPowerShellScript(),
		applyChromeOSFlex(),
		applyIGELImage(),
		captureImage(),
		prepareOperatingSystem(),
		prepareForCapture(),
		configureOperatingSystem(),
		enableAdministratorAccount(),
		injectDrivers(),
		injectDriverPack(),
		installApplication(),
		installMultipleApplications(),
		installUpdates(),
		enableBranchCache(),
		offlineDomainJoin(),
		applyOperatingSystemFromCloud(),
		injectDriversFromCloud(),
		registerWithAutopilot(),
	}
}

// Catalogue finds definitions by id and version. It is immutable.
type Catalogue struct{ definitions map[string][]Definition }

// NewCatalogue returns a catalogue of the given definitions. Two with the same id
// and version are an error.
func NewCatalogue(definitions ...Definition) (*Catalogue, error) {
	c := &Catalogue{definitions: map[string][]Definition{}}
	for _, d := range definitions {
		if _, twice := c.Find(d.ID, d.Version); twice && d.Version != 0 {
			return nil, fmt.Errorf("step definition %s exists twice", d.Key())
		}
		c.definitions[d.ID] = append(c.definitions[d.ID], d)
	}
	for _, versions := range c.definitions {
		slices.SortFunc(versions, func(a, b Definition) int { return cmp.Compare(a.Version, b.Version) })
	}
	return c, nil
}

// BuiltinCatalogue returns a catalogue of the built-in definitions.
func BuiltinCatalogue() *Catalogue {
	c, err := NewCatalogue(Builtin()...)
	if err != nil {
		panic(err) // a programming error that every test would meet
	}
	return c
}

// With returns a catalogue that has these definitions as well.
func (c *Catalogue) With(more ...Definition) (*Catalogue, error) {
	return NewCatalogue(append(c.All(), more...)...)
}

// All returns every version of every definition, by ids and versions.
func (c *Catalogue) All() []Definition {
	var all []Definition
	for _, id := range c.IDs() {
		all = append(all, c.definitions[id]...)
	}
	return all
}

// Find returns a definition; version 0 asks for the newest one.
func (c *Catalogue) Find(id string, version int) (Definition, bool) {
	versions := c.definitions[id]
	if version == 0 && len(versions) > 0 {
		return versions[len(versions)-1], true
	}
	for _, d := range versions {
		if d.Version == version {
			return d, true
		}
	}
	return Definition{}, false
}

// IDs returns the ids of all definitions, sorted.
func (c *Catalogue) IDs() []string {
	ids := make([]string, 0, len(c.definitions))
	for id := range c.definitions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
